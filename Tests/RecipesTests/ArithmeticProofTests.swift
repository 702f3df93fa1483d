import ModelCore
import Numerics
import Platform
import Recipes
import TestSupport
import Testing

/// What this program computes, as digests. Whoever changes a bit of it finds one of them changed; who meant to do so
/// raises `ArithmeticVersion`, writes the new digests below the old ones, and says in CHANGELOG.md what changed and
/// why: nobody else's replica can be gone on with from then on.
@Suite struct ArithmeticProofTests {
    private static let golden: [String: [ArithmeticProof.Part: String]] = [
        "1": [
            .numbers: "24f7a1fb1e150ad3f1f0b740b48774f7dda32bae4c7134edc82850270b3e8c01",
            .lesions: "5de99ece5cb40aa59624234b7ed3fc76db6fec52a19f06fab2119e8ed54a7104",
            .networks: "32f2bec659edb8763dc1b0aea3e1649dfd8de294848899bc6aee831588dbcf06",
            .chest: "7694480b78f440da72ef12e70a7ddaf2c84d1ee411d28ed4a63b421cefbbf108",
        ]
    ]

    /// Every instruction set of this machine, and with one of them every number of threads.
    private static let machines: [(kernels: KernelVariant, threads: Int)] = {
        let sets = KernelVariant.allCases.filter {
            $0 != .naive && isHere($0.isAvailable, "the kernels \($0) on this processor")
        }
        return sets.map { ($0, 2) } + [1, 3, 4].map { (sets.last!, $0) }
    }()

    private func computed(_ part: ArithmeticProof.Part, threads: Int) throws -> String {
        let bytes = try ArithmeticProof.bytes(of: part, pool: ThreadPool(threadCount: threads))
        return Hexadecimal.text(SHA256.digest(of: bytes))
    }

    @Test(arguments: ArithmeticProof.Part.allCases)
    func theArithmeticIsThatOfItsVersionOnEveryInstructionSetAndThreadCount(_ part: ArithmeticProof.Part) throws {
        let golden = Self.golden[ArithmeticVersion.text]?[part]
        for (kernels, threads) in Self.machines {
            let digest = try kernels.force { try computed(part, threads: threads) }
            #expect(digest == golden, "\(part) with \(kernels), \(threads) threads")
        }
    }

    /// What a process was asked to use by QUINTET_KERNELS is seen, though its version is the same.
    @Test func kernelsThatRoundOtherwiseHaveAnotherProof() throws {
        for part in ArithmeticProof.Part.allCases {
            let golden = Self.golden[ArithmeticVersion.text]?[part]
            let isOfKernels = part == .networks || part == .chest
            let direct = try KernelVariant.withoutWinograd { try computed(part, threads: 2) }
            #expect((direct != golden) == isOfKernels, "\(part), direct")
            let naive = try KernelVariant.naive.force { try computed(part, threads: 2) }
            #expect((naive != golden) == isOfKernels, "\(part), naive")
        }
    }

    /// Each station of the chest has something to go by and leaves something out.
    @Test func theChestPassesThroughEveryStation() throws {
        var proof = ProofBytes()
        let outcome = try ProofChest.add(to: &proof, pool: ThreadPool(threadCount: 2))
        func count(_ voxels: [UInt8]) -> Int { voxels.count { $0 > 0 } }
        let prepared = outcome.prepared, lung = count(prepared.lung.voxels)
        #expect(prepared.edgeVoxelsRemoved > 0 && lung > prepared.edgeVoxelsRemoved)
        #expect((0.05...0.5).contains(prepared.brightShare(tau: 0.33)))
        #expect(prepared.lung.shape.depth > ProofNetworks.chest.shape.depth, "one slab alone is not blended")
        for ballot in outcome.ballots + [outcome.vote] {
            let healthy = zip(ballot.voxels(), prepared.lung.voxels).count { $0 > 0 && $1 > 0 }
            #expect((1..<lung).contains(healthy))
        }
        #expect(Set(outcome.ballots).count == outcome.ballots.count)
        let answers = [outcome.answer.grown, outcome.answer.withoutGrowing].map { count($0.voxels) }
        #expect(answers[0] > 0 && answers[1] > 0 && answers[0] != answers[1])
    }
}
