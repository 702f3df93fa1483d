import Coordinator
import Foundation
import Imaging
import Platform
import Protocol
import Testing
import VotingAggregator

/// Votes are counted from the coordinator's disk, which may have changed them.
@Suite struct VoteCounterTests {
    @Test func votesThatHaveRottedAreMadeAgainAndNeverCounted() throws {
        let folder = try TestFolder(), blobs = try BlobDirectory(path: folder.file("blobs"))
        var masks = [BitMask](repeating: BitMask(shape: VolumeShape(depth: 1, height: 2, width: 70)), count: 3)
        (masks[0][0, 1, 69], masks[1][0, 1, 69], masks[2][0, 0, 3], masks[0][0, 1, 1]) = (true, true, true, true)
        let votes = try masks.enumerated().map { number, mask in
            let bytes = mask.bytes(), digest = ContentDigest(bytes: try blobs.store(bytes))
            return BlobReference(
                role: "votes", name: "replica-\(number)", digest: digest, byteCount: UInt64(bytes.count))
        }
        let counter = VoteCounter(blobs: blobs)
        guard case .voted(let voted) = counter.count(votes) else {
            Issue.record("sound votes were not counted")
            return
        }
        let majority = try BitMask(bytes: blobs.read(voted.digest.bytes, offset: 0, count: Int(voted.byteCount)))
        #expect(majority.voxelCount == 1 && majority[0, 1, 69])

        // Another vote, as sound a mask as any, under the name of this one.
        let name = "\(votes[1].digest)"
        masks[1][0, 0, 3] = true
        masks[1][0, 1, 69] = false
        let path = folder.file("blobs/\(name.prefix(2))/\(name)")
        #expect(try FileSystem.byteCount(of: path) == votes[1].byteCount)
        try Data(masks[1].bytes()).write(to: URL(fileURLWithPath: path))
        guard case .useless(let why) = counter.count(votes) else {
            Issue.record("rotten votes were counted")
            return
        }
        #expect(why.contains("replica-1"), "\(why)")
    }
}
