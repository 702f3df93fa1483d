import ModelCore
import Recipes
import Testing

/// What the proof of arithmetic computes is what runs compute: nothing that the presets' networks do is left out.
@Suite struct ProofCoverageTests {
    /// The presets' planes, and larger ones, as wide lungs make them: with remainders on every level.
    private func shapes(_ preset: Preset) -> [TensorShape3D] {
        let step = preset.strideProduct
        return [0, 1, 2, 3, 5, 8].flatMap { more in
            [(more, 0), (0, more), (more, more)].map { (height, width) in
                TensorShape3D(
                    depth: preset.slabDepth, height: preset.planeHeight + height * step,
                    width: preset.planeWidth + width * step)
            }
        }
    }

    private func proved() throws -> Set<OperationKind> {
        var kinds: Set<OperationKind> = []
        for network in [ProofNetworks.chest] + ProofNetworks.others {
            kinds.formUnion(try OperationKind.all(network.configuration, shape: network.shape, training: true))
        }
        let answering = ProofNetworks.others[0]
        kinds.formUnion(try OperationKind.all(answering.configuration, shape: answering.shape, training: false))
        return Set(kinds.flatMap(\.included))
    }

    @Test func everyKindOfOperationThatThePresetsNetworksHaveIsProved() throws {
        let proved = try proved()
        var all: Set<OperationKind> = []
        for preset in Preset.all {
            for shape in shapes(preset) {
                for training in [true, false] {
                    all.formUnion(try OperationKind.all(
                        preset.networkConfiguration(), shape: shape, training: training))
                }
            }
        }
        #expect(all.subtracting(proved).sorted().map(\.description) == [])
        // Every algorithm but the plain loops, which no preset's shapes get.
        for algorithm in ["direct", "winograd", "few tiles", "parity", "planar and blocked", "turned rows", "planar"] {
            #expect(all.contains { $0.description.contains(" \(algorithm) k") }, "\(algorithm)")
        }
        #expect(!all.contains { $0.description.contains(" plain k") })
        #expect(all.count > 70)
    }
}
