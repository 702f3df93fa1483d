import VotingAggregator

/// What a fuzzer's bytes do to the reader of votes, which come from workers. cluster/fuzz.sh calls it with new bytes,
/// CorpusTests with those of earlier runs. It must end, whatever the bytes.
enum HostileVotes {
    static func take(_ input: [UInt8]) {
        // A small bound: masks of zeros are short, and the fuzzer is to look at their bytes, not at their memory.
        guard let mask = try? BitMask(bytes: input, voxelCountMax: 1 << 20) else { return }
        precondition(mask.bytes() == input, "a mask has two forms")
    }
}
