import CKernels
import Imaging
import Numerics

/// The ensemble's vote (method.md A4): a voxel is healthy when more than half of the replicas say so.
public enum MajorityVote {
    /// Most voters in one vote.
    public static let voterCountMax = 65_535

    /// Words that one task votes on.
    private static let taskWords = 65_536

    /// Strict majority, bit by bit; a tie is 0 ("not healthy").
    ///
    /// - Parameter votes: one mask a replica, in any order, all on one grid.
    /// - Throws: `VotingError.noVoters`, `.shapeMismatch` naming the voter.
    public static func vote(_ votes: [BitMask], pool: ThreadPool? = nil) throws -> BitMask {
        guard let first = votes.first else { throw VotingError.noVoters }
        precondition(votes.count <= voterCountMax, "at most \(voterCountMax) voters")
        for (index, vote) in votes.enumerated() where vote.shape != first.shape {
            throw VotingError.shapeMismatch(voter: index, shape: vote.shape, expected: first.shape)
        }
        let wordCount = first.words.count
        let words = [UInt64](count: wordCount) { target in
            nonisolated(unsafe) let target = target
            withPointers(to: votes[...]) { voters in
                nonisolated(unsafe) let voters = voters
                runRanges(wordCount, stride: taskWords, on: pool) { range in
                    quintet_bits_vote(
                        voters, voters.count, votes.count / 2 + 1, range.lowerBound, range.count, target)
                }
            }
        }
        return BitMask(shape: first.shape, words: words)
    }

    /// What to tell a user about a number of voters; nil when there is nothing to say.
    public static func warning(voterCount: Int) -> String? {
        guard voterCount > 0, voterCount % 2 == 0 else { return nil }
        let rule = "\(voterCount) replicas vote: a tie counts as \"not healthy\""
        return voterCount == 2
            ? rule + ", so a voxel needs both to be healthy, which is worse than one replica alone; use an odd number"
            : rule + "; use an odd number"
    }

    private static func withPointers(
        to votes: ArraySlice<BitMask>, _ pointers: [UnsafePointer<UInt64>?] = [],
        _ body: ([UnsafePointer<UInt64>?]) -> Void
    ) {
        guard let vote = votes.first else { return body(pointers) }
        vote.words.withUnsafeBufferPointer {
            withPointers(to: votes.dropFirst(), pointers + [$0.baseAddress], body)
        }
    }
}
