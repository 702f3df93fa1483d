import Numerics

/// One parameter under its name in MONAI's state dict.
package struct ParameterSpecification: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        /// A convolution's weight [out, in, k, k, k] or bias [out]; a transposed one's weight is [in, out, k, k, k].
        /// PyTorch draws both from the uniform distribution in +-1/sqrt(fanIn).
        case convolution(fanIn: Int)
        /// PReLU's one slope, 0.25 at first.
        case slope
    }
    package var name: String
    package var shape: [Int]
    package var role: Role
    /// First element among all parameters in one row.
    package var offset: Int

    package var count: Int { shape.reduce(1, *) }
}

/// All parameters of a network, listed in the order of PyTorch's `named_parameters()`.
package struct UNetParameters: Sendable {
    package private(set) var specifications: [ParameterSpecification] = []
    package private(set) var count = 0
    private var indices: [String: Int] = [:]

    package init(_ configuration: UNetConfiguration) {
        addLevel(configuration, level: 0, inputs: configuration.inChannels, outputs: configuration.outChannels, "model")
        place()
    }

    package subscript(name: String) -> Int {
        guard let index = indices[name] else { preconditionFailure("the network has no parameter \(name)") }
        return index
    }

    private mutating func add(_ name: String, _ shape: [Int], _ role: ParameterSpecification.Role) {
        let specification = ParameterSpecification(name: name, shape: shape, role: role, offset: 0)
        indices[name] = specifications.count
        specifications.append(specification)
    }

    /// In order, but a residual path's weight and bias right behind those of the unit that begins beside it: the two
    /// are one convolution where they have the same kernel.
    private mutating func place() {
        var placed = Set<Int>()
        for first in specifications.indices {
            let beside = specifications[first].name.replacing(".conv.unit0.conv.", with: ".residual.")
            for index in [first, indices[beside] ?? first] where placed.insert(index).inserted {
                specifications[index].offset = count
                count += specifications[index].count
            }
        }
    }

    private mutating func addConvolution(
        _ name: String, inputs: Int, outputs: Int, kernel: Int, transposed: Bool = false
    ) {
        let taps = kernel * kernel * kernel
        // PyTorch takes the weight's second axis for "in", also where that is a transposed convolution's output.
        let fanIn = (transposed ? outputs : inputs) * taps
        let shape = (transposed ? [inputs, outputs] : [outputs, inputs]) + [kernel, kernel, kernel]
        add(name + ".weight", shape, .convolution(fanIn: fanIn))
        add(name + ".bias", [outputs], .convolution(fanIn: fanIn))
    }

    private mutating func addLevel(
        _ configuration: UNetConfiguration, level: Int, inputs: Int, outputs: Int, _ name: String
    ) {
        let own = configuration.channels[level], stride = configuration.strides[level]
        let next = configuration.channels[level + 1], units = configuration.residualUnits
        let bottom = level + 2 == configuration.channels.count, top = level == 0
        addDown(name + ".0", inputs: inputs, outputs: own, stride: stride, units: units)
        if bottom {
            addDown(name + ".1.submodule", inputs: own, outputs: next, stride: 1, units: units)
        } else {
            addLevel(configuration, level: level + 1, inputs: own, outputs: own, name + ".1.submodule")
        }
        let joined = own + (bottom ? next : own), up = name + ".2"
        let convolution = units > 0 ? up + ".0" : up
        addConvolution(convolution + ".conv", inputs: joined, outputs: outputs, kernel: 3, transposed: true)
        if units > 0 || !top { add(convolution + ".adn.A.weight", [1], .slope) }
        if units > 0 {
            addConvolution(up + ".1.conv.unit0.conv", inputs: outputs, outputs: outputs, kernel: 3)
            if !top { add(up + ".1.conv.unit0.adn.A.weight", [1], .slope) }
        }
    }

    private mutating func addDown(_ name: String, inputs: Int, outputs: Int, stride: Int, units: Int) {
        guard units > 0 else {
            addConvolution(name + ".conv", inputs: inputs, outputs: outputs, kernel: 3)
            add(name + ".adn.A.weight", [1], .slope)
            return
        }
        for unit in 0..<units {
            let prefix = "\(name).conv.unit\(unit)"
            addConvolution(prefix + ".conv", inputs: unit == 0 ? inputs : outputs, outputs: outputs, kernel: 3)
            add(prefix + ".adn.A.weight", [1], .slope)
        }
        if stride != 1 || inputs != outputs {
            addConvolution(name + ".residual", inputs: inputs, outputs: outputs, kernel: stride == 1 ? 1 : 3)
        }
    }

    /// PyTorch's default distributions, parameter i drawn from stream i of the replica's initialisation key.
    package func initialValues(seed: UInt64, replica: Int) -> [Float] {
        let key = RandomKey(seed: seed, replica: replica, purpose: .weightInitialisation)
        var values = [Float](repeating: 0, count: count)
        for (index, specification) in specifications.enumerated() {
            let range = specification.offset..<(specification.offset + specification.count)
            switch specification.role {
            case .slope: for i in range { values[i] = 0.25 }
            case .convolution(let fanIn):
                var stream = key.stream(UInt32(index))
                values.withUnsafeMutableBufferPointer { stream.fill(.init(rebasing: $0[range])) }
                let bound = 1 / Float(fanIn).squareRoot()
                for i in range { values[i] = bound * (2 * values[i] - 1) }
            }
        }
        return values
    }
}
