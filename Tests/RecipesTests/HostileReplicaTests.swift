import Foundation
import Imaging
import ModelCore
import Numerics
import Recipes
import Testing
import VotingAggregator

/// Blobs of a run that are valid by themselves and do not fit it.
@Suite struct HostileReplicaTests {
    private func network(_ inChannels: Int, _ outChannels: Int, channels: [Int]) throws -> UNetModel {
        let model = UNetModel(configuration: try UNetConfiguration(
            inChannels: inChannels, outChannels: outChannels, channels: channels, strides: [2, 2], residualUnits: 1))
        model.initialise(seed: 1, replica: 0)
        return model
    }

    private func refusal(_ body: () throws -> Void) throws -> String {
        let error = #expect(throws: RecipeError.self) { try body() }
        guard case .inputRefused(let message)? = error else { return "" }
        return message
    }

    /// One class less, one channel more, other levels: each would have ended the worker's process or its work.
    @Test func aReplicaOfAnotherNetworkIsRefusedByName() throws {
        let data = try TrainingData(iterations: 1)
        let resources = RecipeResources(pool: PreparationTests.pool, cacheDirectory: "")
        for (ins, outs, channels) in [(1, 1, [16, 32, 64]), (2, 2, [16, 32, 64]), (1, 2, [8, 8, 8])] {
            let bytes = try network(ins, outs, channels: channels).safeTensors().serialised()
            let replica = try data.replica(bytes, 0)
            let message = try refusal {
                _ = try LungNormNet().predict(
                    parameters: data.configuration.json(), inputs: data.patient + [replica], resources: resources)
            }
            #expect(message.contains("replica-0") && message.contains("network") && message.contains("quintet train"))
        }
    }

    /// The plane grows with the patient, not only with the training's: the slab has to follow.
    @Test func aPatientWithLargerLungsThanTheTrainingsPlaneGetsVotes() throws {
        let data = try TrainingData(iterations: 1)
        var configuration = data.configuration
        (configuration.planeHeight, configuration.planeWidth) = (8, 8)
        let replica = try data.replica(try network(1, 2, channels: [16, 32, 64]).safeTensors().serialised(), 0)
        let result = try LungNormNet().predict(
            parameters: configuration.json(), inputs: data.patient + [replica],
            resources: RecipeResources(pool: PreparationTests.pool, cacheDirectory: ""))
        #expect(try BitMask(bytes: result.outputs[0].bytes).shape.height > 8)
    }

    @Test func aDataSetOfAnotherPlaneThanTheRunsIsRefusedByName() throws {
        let data = try TrainingData(iterations: 1)
        var configuration = data.configuration
        configuration.planeWidth += 4
        let message = try refusal {
            _ = try LungSamples(inputs: data.inputs, configuration: configuration, seed: 1, replica: 0)
                .lesionSample(iteration: 0, sample: 0)
        }
        #expect(message.contains(DataSetManifest.fileName) && message.contains("plane"))
    }

    @Test func aBlobLargerThanItsRoleIsRefusedUnread() throws {
        let data = try TrainingData(iterations: 1)
        let resources = RecipeResources(pool: PreparationTests.pool, cacheDirectory: "")
        let path = data.folder + "/large"
        try Data().write(to: URL(fileURLWithPath: path))
        let file = try #require(FileHandle(forWritingAtPath: path))
        // Holds nothing on disk.
        try file.truncate(atOffset: 1 << 40)
        try file.close()
        for (role, name) in [("replica", "replica-0"), ("voted", "voted"), ("dataset", "dataset.json")] {
            let inputs = data.patient + [RecipeInput(role: role, name: name, path: path)]
            let message = try refusal {
                switch role {
                case "replica":
                    _ = try LungNormNet().predict(
                        parameters: data.configuration.json(), inputs: inputs, resources: resources)
                case "voted":
                    _ = try LungNormNet().finish(
                        parameters: data.configuration.json(), inputs: inputs, resources: resources)
                default:
                    _ = try LungNormNet().makeTrainingSession(
                        parameters: data.configuration.json(), seed: 1, replica: 0, inputs: inputs, resume: nil,
                        resources: resources)
                }
            }
            let expected = "\(name) has 1099511627776 bytes, and what is a \(role) has at most "
            #expect(message.hasPrefix(expected), "\(message)")
        }
    }

    @Test func preparingEndsSoonAfterItIsCancelled() throws {
        let data = try TrainingData(iterations: 1)
        let ct = try ImageFile.read(path: data.patient[0].path)
        let error = #expect(throws: RecipeError.self) {
            _ = try Preparation.run(
                ct: ct, lung: nil, preset: data.configuration.preset, planeHeight: 40, planeWidth: 64,
                forTraining: true, pool: PreparationTests.pool, isCancelled: { true })
        }
        guard case .interrupted? = error else { return #expect(Bool(false), "\(String(describing: error))") }
    }

    @Test func whatIsLargeOnlyAsAProductIsRefused() throws {
        var configuration = LungRunConfiguration(
            preset: .demo, planeHeight: 4096, planeWidth: 4096, iterations: 10, healthyThreshold: 0.5)
        configuration.preset.slabDepth = 1024
        #expect(try refusal { _ = try LungRunConfiguration(json: configuration.json()) }.contains("slab"))
        configuration = LungRunConfiguration(
            preset: .paper, planeHeight: 1024, planeWidth: 1024, iterations: 10, healthyThreshold: 0.5)
        configuration.preset.batch = 256
        #expect(try refusal { _ = try LungRunConfiguration(json: configuration.json()) }.contains("batch"))
    }

    @Test func aDataSetOfImpossibleNumbersIsRefusedByName() throws {
        let entry = DataSetManifest.Entry(
            name: "a", sourceName: "a.nii", imageDigest: "", lungDigest: "", imageByteCount: 0, lungByteCount: 0,
            depth: 2, lungVoxelsBySlice: [1, 1], excludedSlices: [], edgeVoxelsRemoved: 0, lungML: 1, brightShare: 0)
        let good = DataSetManifest(preset: .demo, planeHeight: 96, planeWidth: 144, volumes: [entry])
        try good.validate()
        let changes: [(String, (inout DataSetManifest) -> Void)] = [
            ("no spacing", { $0.spacing.zMM = 0 }), ("negative spacing", { $0.spacing.yMM = -1 }),
            ("tiny spacing", { $0.spacing.xMM = 1e-9 }), ("huge spacing", { $0.spacing.xMM = 1e9 }),
            ("tau", { $0.tau = -3 }), ("tau", { $0.tau = 1e300 }), ("tau", { $0.tau = .nan }),
            ("long name", { $0.volumes[0].name = String(repeating: "n", count: 300) }),
            ("marks", { $0.volumes[0].name = "e" + String(repeating: "\u{301}", count: 300) }),
            ("path", { $0.volumes[0].name = "../a" }), ("byte count", { $0.volumes[0].imageByteCount = -1 }),
            ("more voxels than a volume has", {
                ($0.planeHeight, $0.planeWidth) = (4096, 4096)
                $0.volumes[0].depth = 65536
                $0.volumes[0].lungVoxelsBySlice = [Int](repeating: 0, count: 65536)
            }),
        ]
        for (what, change) in changes {
            var bad = good
            change(&bad)
            let message = try refusal { try bad.validate() }
            #expect(message.contains(DataSetManifest.fileName), "\(what): \(message)")
            #expect(message.utf8.count < 1_000)
        }
    }
}
