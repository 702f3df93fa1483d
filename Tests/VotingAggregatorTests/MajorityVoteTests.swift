import Imaging
import Numerics
import Testing
import VotingAggregator

@Suite struct MajorityVoteTests {
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 33]) func moreThanHalfDecides(voterCount: Int) throws {
        let shape = VolumeShape(depth: 3, height: 50, width: 130)
        let votes = (0..<voterCount).map { BitMaskTests.noise(shape, share: 0.5, seed: UInt64(100 + $0)) }
        let expected = (0..<shape.voxelCount).map { voxel -> UInt8 in
            2 * votes.reduce(0) { $0 + Int($1.voxels[voxel]) } > voterCount ? 1 : 0
        }
        let bits = votes.map { BitMask($0) }
        #expect(try MajorityVote.vote(bits).voxels() == expected)
        #expect(try MajorityVote.vote(bits, pool: ThreadPool(threadCount: 3)).voxels() == expected)
        #expect(try MajorityVote.vote(bits.reversed()).voxels() == expected)
    }

    @Test func aTieIsNotHealthy() throws {
        let shape = VolumeShape(depth: 1, height: 1, width: 2)
        var (a, b) = (BitMask(shape: shape), BitMask(shape: shape))
        a[0, 0, 0] = true
        b[0, 0, 1] = true
        #expect(try MajorityVote.vote([a, b]).voxelCount == 0)
    }

    @Test func aVoterOnAnotherGridIsNamed() {
        let (a, b) = (VolumeShape(depth: 2, height: 3, width: 4), VolumeShape(depth: 2, height: 4, width: 3))
        let error = VotingError.shapeMismatch(voter: 2, shape: b, expected: a)
        #expect(throws: error) {
            try MajorityVote.vote([BitMask(shape: a), BitMask(shape: a), BitMask(shape: b)])
        }
        // As many words, and another grid all the same.
        let c = VolumeShape(depth: 3, height: 2, width: 4)
        #expect(throws: VotingError.shapeMismatch(voter: 1, shape: c, expected: a)) {
            try MajorityVote.vote([BitMask(shape: a), BitMask(shape: c)])
        }
        #expect("\(error)".contains("voter 3") && "\(error)".contains("2x4x3"))
        #expect(throws: VotingError.noVoters) { try MajorityVote.vote([]) }
    }

    @Test func anEvenNumberOfVotersIsWarnedOf() {
        #expect(MajorityVote.warning(voterCount: 5) == nil)
        #expect(MajorityVote.warning(voterCount: 4)?.contains("odd") == true)
        #expect(MajorityVote.warning(voterCount: 2)?.contains("both") == true)
    }
}
