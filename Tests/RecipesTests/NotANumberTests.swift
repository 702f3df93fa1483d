import ModelCore
import Recipes
import Testing

/// Numbers beyond all bounds end the work by name; they are no vote and no trained replica.
@Suite struct NotANumberTests {
    private let resources = RecipeResources(pool: PreparationTests.pool, cacheDirectory: "")

    private func refusal(_ body: () throws -> Void) -> String {
        let error = #expect(throws: RecipeError.self) { try body() }
        guard case .inputRefused(let message)? = error else { return "" }
        return message
    }

    /// Every number of a file's weights made this, each of which is a number by itself.
    private func filled(_ file: SafeTensors, with value: Float) -> SafeTensors {
        var file = file
        for (name, tensor) in file.tensors where name.hasPrefix("model.") {
            file.tensors[name] = .init(shape: tensor.shape, floats: [Float](repeating: value, count: tensor.count))
        }
        return file
    }

    @Test func aReplicaThatAnswersNoNumbersDoesNotVote() throws {
        let data = try TrainingData(iterations: 1)
        let model = UNetModel(configuration: try data.configuration.preset.networkConfiguration())
        model.initialise(seed: 1, replica: 0)
        let sound = try data.replica(model.safeTensors().serialised(), 0)
        let wild = try data.replica(filled(model.safeTensors(), with: 3e38).serialised(), 1)
        let message = refusal {
            _ = try LungNormNet().predict(
                parameters: data.configuration.json(), inputs: data.patient + [sound, wild], resources: resources)
        }
        #expect(message.contains("replica-1") && message.contains("no number"), "\(message)")
    }

    @Test func aReplicaThatDivergesIsAFailureNotAResult() throws {
        let data = try TrainingData(iterations: 3)
        func session(_ resume: String?) throws -> any TrainingSession {
            try LungNormNet().makeTrainingSession(
                parameters: data.configuration.json(), seed: 1, replica: 2, inputs: data.inputs, resume: resume,
                resources: resources)
        }
        let first = try session(nil)
        #expect(try first.step().loss.isFinite)
        let checkpoint = try SafeTensors(bytes: first.checkpoint(), name: "checkpoint")
        let wild = try data.replica(filled(checkpoint, with: 3e38).serialised(), 7)
        let second = try session(wild.path)
        let message = refusal { _ = try second.step() }
        #expect(message.contains("replica 2 has diverged: at iteration 2 its loss is no number"), "\(message)")
        #expect(message.contains("--learning-rate (it was 0.003)"), "\(message)")
        // What had been reached is as it was.
        #expect(second.iteration == 1)
    }
}
