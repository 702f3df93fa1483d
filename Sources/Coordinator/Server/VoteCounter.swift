import Platform
import Protocol
import VotingAggregator

/// Counts a volume's votes: blobs in, a blob out. Runs on its own thread.
package struct VoteCounter: Sendable {
    package enum Outcome: Sendable {
        case voted(BlobReference)
        /// The votes are no use; they have to be made again.
        case useless(String)
        /// The coordinator's disk does not take the result; worth trying again.
        case later(String)
    }

    private let blobs: BlobDirectory

    package init(blobs: BlobDirectory) { self.blobs = blobs }

    package func count(_ votes: [BlobReference]) -> Outcome {
        var masks: [BitMask] = []
        // Empty space compresses to nothing: a few bytes may claim a great mask. All of them together have a bound.
        let voxelCountMax = min(Limits.voteVoxelsPerFileMax, Limits.voteVoxelsMax / max(1, votes.count))
        for vote in votes {
            do {
                masks.append(try load(vote, voxelCountMax: voxelCountMax))
            } catch {
                return .useless(Texts.bounded("votes '\(vote.name)': \(error)"))
            }
        }
        do {
            let bytes = try MajorityVote.vote(masks).bytes()
            let digest = ContentDigest(bytes: try blobs.store(bytes))
            return .voted(BlobReference(role: "voted", name: "voted", digest: digest, byteCount: UInt64(bytes.count)))
        } catch let error as VotingError {
            return .useless(Texts.bounded("\(error)"))
        } catch {
            return .later(Texts.bounded("\(error)"))
        }
    }

    /// A vote whose bytes are those of its digest; a damaged file is set aside, so that it is not taken for the new
    /// one.
    private func load(_ vote: BlobReference, voxelCountMax: Int) throws -> BitMask {
        try blobs.verifyOnce(vote.digest.bytes)
        guard let byteCount = blobs.byteCount(of: vote.digest.bytes), byteCount <= UInt64(Limits.voteBytesMax) else {
            throw BlobError.missing(digest: "\(vote.digest)")
        }
        let bytes = try blobs.read(vote.digest.bytes, offset: 0, count: Int(byteCount))
        return try BitMask(bytes: bytes, voxelCountMax: voxelCountMax)
    }
}
