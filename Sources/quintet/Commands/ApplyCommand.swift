import ModelCore
import Numerics
import Platform
import Recipes

/// `quintet apply`
enum ApplyCommand: Command {
    static let syntax = CommandSyntax(
        "apply", "Run one network on one tensor: safetensors in, safetensors out.",
        options: [
            Option(
                "--weights", "FILE", "a replica, or any MONAI UNet saved as safetensors with its metadata",
                isRequired: true),
            Option("--in", "FILE", "safetensors with a key x of shape N,C,D,H,W, or N,C,H,W", isRequired: true),
            Option("--out", "FILE", "safetensors with a key y: the logits", isRequired: true),
            Option("--overwrite", nil, "replace the file of --out"),
            Option("--threads", "N", "threads; default all"),
        ],
        details: """
            The weights' metadata says what the network is: architecture = monai.UNet, in_channels, out_channels,
            channels, strides (per axis, too), num_res_units, norm = INSTANCE, BATCH or None, act = PRELU, RELU or
            LEAKYRELU, all as text. Where it does not say, spatial_dims = 3, kernel_size = up_kernel_size = 3, bias =
            True, adn_ordering = NDA, eps = 1e-5 and an instance norm without affine are taken, MONAI's defaults.
            Other values are refused, not ignored, and so are settings that are not known here; a dropout is for
            training only. In three dimensions sizes that the product of the strides does not divide are filled with
            zeros, and the answer is cut back; in two they are refused. Kernels of other sizes than 3 and strides that
            differ between axes are computed by plain loops, which are slow.

            example: quintet apply --weights run/replica-0.safetensors --in x.safetensors --out y.safetensors
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        func read(_ option: String) throws -> SafeTensors {
            let path = try arguments.required(option)
            return try SafeTensors(bytes: FileSystem.read(path, byteCountMax: 1 << 40), name: path)
        }
        let target = try arguments.required("--out")
        try OutputGuard.refuse(outputs: [target], inputs: [arguments.required("--weights"), arguments.required("--in")])
        if FileSystem.exists(target), !arguments.has("--overwrite") {
            throw CommandError("\(target) is there already; name another file, or say --overwrite")
        }
        let model = try UNetModel(file: read("--weights"))
        let input = try read("--in")
        guard let x = input.tensors["x"], let values = x.floats() else {
            throw CommandError("\(input.name) has no tensor of floats called x")
        }
        let dimensions = model.configuration.layers.dimensions
        guard x.shape.count == 2 + dimensions, x.shape[1] == model.configuration.inChannels,
            x.shape.allSatisfy({ $0 > 0 })
        else {
            throw CommandError("\(input.name): x has the shape \(x.shape), and the network takes "
                + "[N, \(model.configuration.inChannels), " + (dimensions == 3 ? "depth, " : "") + "height, width]")
        }
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw CommandError("\(input.name): x\(Self.place(index, x.shape)) is \(values[index]), not a number to "
                + "compute with")
        }
        // A batch in two dimensions goes image by image, as one in three does.
        let sides = x.shape[2...].suffix(3), plane = Array(sides.suffix(2))
        let shape = TensorShape3D(depth: dimensions == 3 ? sides.first! : 1, height: plane[0], width: plane[1])
        let predictor = try UNetPredictor(
            model: model, shape: shape, pool: ThreadPool(threadCount: try Threads.count(arguments)))
        let sampleCount = x.shape[1] * shape.voxelCount
        var logits: [Float] = []
        for sample in 0..<x.shape[0] {
            let part = Array(values[(sample * sampleCount)..<((sample + 1) * sampleCount)])
            logits += part.withUnsafeBufferPointer { predictor.logits(input: $0) }
        }
        let answerShape = [x.shape[0], model.configuration.outChannels] + x.shape[2...]
        if let index = logits.firstIndex(where: { !$0.isFinite }) {
            throw CommandError("\(model.name) answers \(logits[index]) at y\(Self.place(index, answerShape)); its "
                + "weights or x are out of bounds")
        }
        var output = SafeTensors(name: target)
        output.tensors["y"] = .init(
            shape: answerShape, floats: logits)
        try AtomicFile.write(output.serialised(), to: output.name)
        return .done
    }

    /// "[0, 0, 3, 1, 2]" of an index into the tensor in one row.
    private static func place(_ index: Int, _ shape: [Int]) -> String {
        var rest = index, place: [Int] = []
        for side in shape.reversed() {
            place.insert(rest % side, at: 0)
            rest /= side
        }
        return "\(place)"
    }
}
