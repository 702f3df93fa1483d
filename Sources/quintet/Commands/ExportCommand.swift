import ModelCore
import Numerics
import Platform
import Recipes

/// `quintet export`
enum ExportCommand: Command {
    static let syntax = CommandSyntax(
        "export", "Write a network for other programs, as ONNX.",
        options: [
            Option("--onnx", "FILE", "what is written", isRequired: true),
            Option("--run", "RUN", "the run that the network is a replica of"),
            Option("--replica", "N", "which replica; default 0"),
            Option("--weights", "FILE", "in place of a run: any file of weights that quintet apply reads"),
            Option("--shape", "Z,Y,X", "of one sample; default: the run's. Two numbers in two dimensions"),
            Option("--example", "FILE", "safetensors with an input x and our answer y, to check a runtime with"),
            Option("--overwrite", nil, "replace files that are there"),
            Option("--threads", "N", "threads for the example; default all"),
        ],
        details: """
            ONNX of operator set 17, float32, the batch free, the other axes of the run's sample: of lungs a slab of
            slices, for CTs with lungs larger than the run's plane another one (--shape; any size, what the strides do
            not divide is filled with zeros inside). The file says what goes in and comes out (doc_string) and, as
            metadata_props: version, recipe, run (SHA-256 of run.json), weights (SHA-256), replica, axes, classes,
            window_hu, spacing_mm, thresholds. Of liver-restore-segment both networks are in one file. What comes before
            and behind the network is not in it: docs/VOXEL.md.

            example: quintet export --onnx replica-0.onnx --run run --example example.safetensors
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        let target = try arguments.required("--onnx"), example = arguments.text("--example")
        let source = try NetworkToExport(arguments)
        let outputs = [target] + (example.map { [$0] } ?? [])
        guard Set(outputs).count == outputs.count else { throw UsageError("--onnx and --example name one file") }
        try OutputGuard.refuse(outputs: outputs, inputs: source.inputs)
        if let there = outputs.first(where: FileSystem.exists), !arguments.has("--overwrite") {
            throw CommandError("\(there) is there already; name another file, or say --overwrite")
        }
        let model = try source.network.weights.model(), shape = try shape(arguments, source.network.shape, model)
        let bytes = try model.onnx(ONNXDescription(
            shape: shape, inputName: source.network.inputName, outputName: "logits",
            documentation: source.network.documentation, producerVersion: Version.text,
            metadata: source.network.properties))
        let answer = try example.map { _ in try self.example(model, shape, arguments) }
        try PromptEnd.holdingOff {
            try AtomicFile.write(bytes, to: target)
            if let example, let answer { try AtomicFile.write(answer.serialised(), to: example) }
        }
        return .done
    }

    private static func shape(
        _ arguments: Arguments, _ own: TensorShape3D?, _ model: any ExportableModel
    ) throws -> TensorShape3D {
        guard let sides = try arguments.values.integers("--shape", 1...TensorShape3D.sideMax) else {
            guard let own else { throw UsageError("--shape is needed with --weights, which say nothing of sizes") }
            return own
        }
        guard sides.count == (model.isFlat ? 2 : 3) else {
            throw UsageError("--shape takes \(model.isFlat ? "height,width" : "depth,height,width") of this network")
        }
        return TensorShape3D(depth: model.isFlat ? 1 : sides[0], height: sides[sides.count - 2], width: sides.last!)
    }

    /// Numbers between 0 and 1, the same every time, and what this program answers.
    private static func example(
        _ model: any ExportableModel, _ shape: TensorShape3D, _ arguments: Arguments
    ) throws -> SafeTensors {
        var sample = [Float](repeating: 0, count: model.inputChannels * shape.voxelCount)
        var stream = RandomKey(seed: 1, purpose: .phantomNoise).stream(0)
        sample.withUnsafeMutableBufferPointer { stream.fill($0) }
        let answer = try model.logits(
            of: sample, shape: shape, pool: ThreadPool(threadCount: try Threads.count(arguments)))
        let sides = model.isFlat ? [shape.height, shape.width] : [shape.depth, shape.height, shape.width]
        var file = SafeTensors(name: "example")
        file.tensors["x"] = .init(shape: [1, model.inputChannels] + sides, floats: sample)
        file.tensors["y"] = .init(shape: [1, model.outputChannels] + sides, floats: answer)
        return file
    }
}

/// Which network is written, and what the file says of it.
private struct NetworkToExport {
    struct Network {
        var weights: SafeTensors
        /// nil where nobody knows.
        var shape: TensorShape3D?
        var inputName: String
        var documentation: String
        var properties: [String: String]
    }
    var network: Network
    var inputs: [String]

    init(_ arguments: Arguments) throws {
        switch (arguments.text("--run"), arguments.text("--weights")) {
        case (let run?, nil): try self.init(run: run, arguments)
        case (nil, let file?):
            if arguments.has("--replica") { throw UsageError("--replica belongs to --run, not to --weights") }
            try self.init(weights: file)
        default: throw UsageError("name either --run or --weights")
        }
    }

    private init(run path: String, _ arguments: Arguments) throws {
        let run = try RunFolder(path, in: arguments.choice.registry)
        let number = try arguments.integer("--replica", 0...run.description.replicaCount - 1) ?? 0
        let files = run.replicas.filter { $0.number == number }
        for file in files {
            let isThere = FileSystem.exists(file.path)
            try run.check(file, digest: isThere ? Hexadecimal.text(try SHA256.digest(ofFile: file.path)) : "nothing")
        }
        let replica = try run.settings.network(files.map {
            RecipeInput(role: $0.weights.role, name: $0.path, path: $0.path)
        })
        network = Network(
            weights: replica.weights, shape: replica.shape, inputName: replica.inputName,
            documentation: replica.documentation,
            properties: replica.properties.merging([
                "version": Version.text, "recipe": run.description.recipe, "run": try run.digest(),
                "replica": "\(number)", "weights": files.last?.digest ?? "",
            ]) { own, _ in own })
        inputs = files.map(\.path) + [RunFolder.descriptionPath(path)]
    }

    private init(weights path: String) throws {
        let bytes = try FileSystem.read(path, byteCountMax: 1 << 40)
        let file = try SafeTensors(bytes: bytes, name: path)
        network = Network(
            weights: file, shape: nil, inputName: "x",
            documentation: "A network that quintet export has written from a file of weights, whose metadata were: "
                + file.metadata.sorted { $0.key < $1.key }.map { "\($0.key) = \($0.value)" }.joined(separator: "; "),
            properties: ["version": Version.text, "weights": SHA256.hexadecimal(of: bytes)])
        inputs = [path]
    }
}
