import CKernels

// What each layer is in ONNX. `Layer` asks all of them, so that a new one cannot be forgotten.

extension ConvolutionLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        let kernel = onnx.spatial(kernel), strides = onnx.spatial(stride), pads = kernel.map { ($0 - 1) / 2 }
        var attributes: [String: ONNXGraph.Attribute] = [
            "kernel_shape": .integers(kernel), "strides": .integers(strides),
        ]
        var from = onnx.name(input)
        if isMirrored {
            let around = [0, 0] + pads
            from = onnx.append(
                "Pad", [from, onnx.constant("mirrored_\(pads)", [2 * around.count], .integers(around + around))],
                ["mode": .text("reflect")])
        } else {
            attributes["pads"] = .integers(pads + pads)
        }
        if isTransposed {
            // Every side grows by the stride.
            attributes["output_padding"] = .integers(
                zip(kernel, zip(strides, pads)).map { $1.0 - $0 + 2 * $1.1 })
        }
        let inputs = [from, isStandardised ? standardised(in: &onnx) : onnx.parameter(weight)]
            + (bias.map { [onnx.parameter($0)] } ?? [])
        onnx.append(isTransposed ? "ConvTranspose" : "Conv", inputs, to: onnx.name(output), attributes)
    }

    /// As `quintet_standardise_weights` has them: the file holds what is multiplied with.
    private func standardised(in onnx: inout ONNXGraph) -> String {
        let own = onnx.numbers(weight), count = own.floats.count / own.shape[0]
        var result: [Float] = []
        result.reserveCapacity(own.floats.count)
        for row in 0..<own.shape[0] {
            let weights = own.floats[row * count..<(row + 1) * count].map(Double.init)
            let mean = weights.reduce(0, +) / Double(count)
            let squares = weights.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
            let deviation = (squares / Double(count - 1)).squareRoot() + 1e-5
            result += weights.map { Float(($0 - mean) / deviation) }
        }
        return onnx.constant(own.name + ".standardised", own.shape, .floats(result))
    }
}

extension JoinedConvolutionLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        first.append(to: &onnx, of: graph)
        second.append(to: &onnx, of: graph)
    }
}

extension NormActivationLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        let normed = onnx.norm(onnx.name(input), axes: onnx.spatialAxes)
        let activated = onnx.append(slope, normed, to: residual == nil ? onnx.name(output) : nil)
        if let residual { onnx.append("Add", [activated, onnx.name(residual)], to: onnx.name(output)) }
    }
}

extension AffineNormLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        let from = onnx.append(before, onnx.name(input))
        let isLast = after.kind == Int32(QUINTET_IDENTITY), to = isLast ? onnx.name(output) : nil
        let normed: String
        switch kind {
        case .batch(let mean, let variance, _):
            let inputs = [from] + [scale, shift, mean, variance].map { onnx.parameter($0) }
            normed = onnx.append("BatchNormalization", inputs, to: to, ["epsilon": .number(1e-5)])
        case .group(let count):
            // A group's channels side by side. 0 stands for "as it is", -1 for the rest.
            let groups = onnx.constant(
                "groups_\(count)_of_\(graph.channels(input))", [4],
                .integers([0, count, graph.channels(input) / count, -1]))
            let shape = onnx.append("Shape", [from])
            let rows = onnx.norm(onnx.append("Reshape", [from, groups]), axes: 2...3)
            let back = onnx.append("Reshape", [rows, shape])
            normed = onnx.append(
                "Add", [onnx.append("Mul", [back, onnx.perChannel(scale)]), onnx.perChannel(shift)], to: to)
        }
        if !isLast { _ = onnx.append(after, normed, to: onnx.name(output)) }
    }
}

extension ActivationLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        _ = onnx.append(slope, onnx.name(input), to: onnx.name(output))
    }
}

extension AdditionLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        onnx.append("Add", [onnx.name(first), onnx.name(second)], to: onnx.name(output))
    }
}

extension ConcatenationLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        onnx.append("Concat", [onnx.name(first), onnx.name(second)], to: onnx.name(output), ["axis": .integer(1)])
    }
}

extension CopyLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        onnx.append("Identity", [onnx.name(input)], to: onnx.name(output))
    }
}

extension ResamplingLayer {
    func append(to onnx: inout ONNXGraph, of graph: Graph) {
        let factors = onnx.spatial(factor), from = onnx.name(input), to = onnx.name(output)
        guard !kind.isPooling else {
            onnx.append(
                kind == .maximumPooling ? "MaxPool" : "AveragePool", [from], to: to,
                ["kernel_shape": .integers(factors), "strides": .integers(factors)])
            return
        }
        let scales = onnx.constant(
            "scales_\(factors)", [2 + factors.count], .floats(([1, 1] + factors).map { Float($0) }))
        var attributes: [String: ONNXGraph.Attribute] = ["mode": .text(kind == .nearest ? "nearest" : "linear")]
        switch kind {
        case .nearest:
            attributes["coordinate_transformation_mode"] = .text("asymmetric")
            attributes["nearest_mode"] = .text("floor")
        case .linear: attributes["coordinate_transformation_mode"] = .text("half_pixel")
        default: attributes["coordinate_transformation_mode"] = .text("align_corners")
        }
        // The second input is for crops.
        onnx.append("Resize", [from, "", scales], to: to, attributes)
    }
}
