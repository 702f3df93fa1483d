import Numerics

/// One parameter under its name in the original network's state dict.
package struct ParameterSpecification: Hashable, Sendable {
    package enum Role: Hashable, Sendable {
        /// A convolution's weight [out, in, k, k, k] or bias [out]; a transposed one's weight is [in, out, k, k, k].
        /// PyTorch draws both from the uniform distribution in +-1/sqrt(fanIn).
        case convolution(fanIn: Int)
        /// The same number everywhere at first: 0.25 for PReLU's one slope, 1 and 0 for a norm's scale and shift.
        case constant(Float)
        /// What a batch norm has seen, the same number everywhere at first; no gradient changes it.
        case statistic(Float)
        /// How many batches that comes from: a whole number in the state dict.
        case count
    }
    package var name: String
    package var shape: [Int]
    package var role: Role
    /// First element among all parameters in one row.
    package var offset: Int

    package var count: Int { shape.reduce(1, *) }
}

/// All parameters of a network, listed in the order of PyTorch's `named_parameters()`.
package struct ParameterTable: Sendable {
    package private(set) var specifications: [ParameterSpecification] = []
    package private(set) var count = 0
    private var indices: [String: Int] = [:]

    package init() {}

    package subscript(name: String) -> Int {
        guard let index = indices[name] else { preconditionFailure("the network has no parameter \(name)") }
        return index
    }

    /// - Returns: its place in `specifications`.
    @discardableResult
    mutating func add(_ name: String, _ shape: [Int], _ role: ParameterSpecification.Role) -> Int {
        precondition(indices[name] == nil, "the network has two parameters \(name)")
        let specification = ParameterSpecification(name: name, shape: shape, role: role, offset: count)
        indices[name] = specifications.count
        specifications.append(specification)
        count += specification.count
        return specifications.count - 1
    }

    /// Lays some parameters out right behind others, so that both are the weights of one convolution.
    ///
    /// - Parameter followers: by a parameter, the one that is to lie behind it.
    mutating func place(_ followers: [Int: Int]) {
        count = 0
        var placed = Set<Int>()
        for first in specifications.indices {
            for index in [first, followers[first] ?? first] where placed.insert(index).inserted {
                specifications[index].offset = count
                count += specifications[index].count
            }
        }
    }

    /// PyTorch's default distributions, parameter i drawn from stream i of the replica's initialisation key.
    package func initialValues(seed: UInt64, replica: Int) -> [Float] {
        let key = RandomKey(seed: seed, replica: replica, purpose: .weightInitialisation)
        var values = [Float](repeating: 0, count: count)
        for (index, specification) in specifications.enumerated() {
            let range = specification.offset..<(specification.offset + specification.count)
            switch specification.role {
            case .constant(let value), .statistic(let value): for i in range { values[i] = value }
            case .count: break
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
