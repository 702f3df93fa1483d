/// A network's description and its weights, in the machine's memory. Training and prediction take their own copies.
package final class Model<Network: NetworkDescription> {
    package let configuration: Network
    package let parameters: ParameterTable
    /// What messages call it: the file that it came from.
    package let name: String
    /// All parameters in one row, in `named_parameters()` order.
    package var values: [Float]

    /// All weights zero: follow with `initialise` or `load`.
    package init(configuration: Network, name: String = "the network") {
        self.name = name
        self.configuration = configuration
        parameters = configuration.graph.parameters
        values = [Float](repeating: 0, count: parameters.count)
    }

    /// A network from a file that says what it is (see `NetworkDescription.metadata`), weights loaded.
    ///
    /// - Throws: `ModelError` naming the file and what does not fit.
    package convenience init(file: SafeTensors) throws {
        let configuration: Network
        do {
            configuration = try Network(metadata: file.metadata)
        } catch ModelError.invalidConfiguration(let reason) {
            throw ModelError.unsuitableFile(name: file.name, reason: reason)
        }
        // Before memory is taken: a few bytes of description may claim a network that no memory holds.
        let wanted = configuration.graph.parameters.specifications
        if let problem = WeightsDiagnosis(file: file, wanted: wanted).problem(prefix: "") {
            throw ModelError.unsuitableFile(name: file.name, reason: problem)
        }
        self.init(configuration: configuration, name: file.name)
        try load(file)
    }

    /// Whether every weight is a number.
    package var isFinite: Bool { values.withUnsafeBufferPointer { FiniteCheck.isFinite($0) } }

    /// The state dict's names, in its order.
    package var parameterNames: [String] { parameters.specifications.map(\.name) }

    /// PyTorch's default initialisation; every number is a pure function of seed, replica and its place.
    package func initialise(seed: UInt64, replica: Int) {
        values = parameters.initialValues(seed: seed, replica: replica)
    }

    /// Takes every parameter from a file, as PyTorch's `load_state_dict(strict=True)`: none may be missing, none left
    /// over, every shape equal; all numbers finite.
    ///
    /// - Parameter prefix: only the file's tensors under this prefix count ("" for a plain replica file).
    /// - Throws: `ModelError.unsuitableFile` naming the first tensors at fault; the model is unchanged then.
    package func load(_ file: SafeTensors, prefix: String = "") throws {
        values = try parameters.values(from: file, prefix: prefix)
    }

    /// The weights under the original network's names, with the network's description and the caller's own strings as
    /// metadata.
    package func safeTensors(metadata: [String: String] = [:]) -> SafeTensors {
        var file = SafeTensors(name: "weights")
        file.metadata = metadata.merging(configuration.metadata) { _, own in own }
        parameters.store(values, into: &file)
        return file
    }
}

/// MONAI's UNet.
package typealias UNetModel = Model<UNetConfiguration>

extension ParameterTable {
    /// All parameters from a file's tensors.
    ///
    /// - Throws: `ModelError.unsuitableFile`.
    func values(from file: SafeTensors, prefix: String = "") throws -> [Float] {
        func fail(_ reason: String) -> ModelError { .unsuitableFile(name: file.name, reason: reason) }
        if let problem = WeightsDiagnosis(file: file, wanted: specifications).problem(prefix: prefix) {
            throw fail(problem)
        }
        var values = [Float](repeating: 0, count: count)
        for specification in specifications {
            let tensor = file.tensors[prefix + specification.name]!
            let range = specification.offset..<(specification.offset + specification.count)
            if specification.role == .count, let whole = tensor.integer {
                guard (0...Int64(1) << 24).contains(whole) else { throw fail("\(specification.name) is \(whole)") }
                values[specification.offset] = Float(whole)
                continue
            }
            guard let floats = tensor.floats() else {
                throw fail("\(specification.name) holds \(tensor.type.rawValue), not floating-point numbers")
            }
            guard floats.allSatisfy(\.isFinite) else {
                throw fail("\(specification.name) holds infinities or not-a-numbers; train again from a checkpoint")
            }
            values.replaceSubrange(range, with: floats)
        }
        return values
    }

    func store(_ values: [Float], prefix: String = "", into file: inout SafeTensors) {
        for specification in specifications {
            let range = specification.offset..<(specification.offset + specification.count)
            file.tensors[prefix + specification.name] = specification.role == .count
                ? SafeTensors.Tensor(integer: Int64(values[specification.offset]))
                : SafeTensors.Tensor(shape: specification.shape, floats: values[range])
        }
    }
}
