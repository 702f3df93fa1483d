import Numerics

/// A small fixed computation through every kernel that weights, votes and voxels come from. Two programs that give the
/// same bytes here compute alike: equal digests are what a worker shows before it goes on with another's replica.
///
///     let digest = SHA256.digest(of: try ArithmeticProof.bytes(pool: pool))
///
/// Numbers enter with all their bits, so that one that differs anywhere differs here. docs/ARCHITECTURE.md, "Proved
/// arithmetic", has the table of what is computed and what is not.
public enum ArithmeticProof {
    /// What is computed, in order; each for itself, so that a test can name what differs.
    package enum Part: String, CaseIterable, Sendable {
        /// Exponential, logarithm, sine, cosine; random numbers.
        case numbers
        /// Synthetic lesions, on the finest grid and on the coarsest.
        case lesions
        /// Training steps and answers of networks with every kind of operation that the presets' have.
        case networks
        /// From a CT to three ballots, a vote and two masks.
        case chest
    }

    /// The whole computation: some hundredths of a second on one core.
    ///
    /// - Throws: `ModelError.outOfMemory`, and nothing else on a machine that computes rightly.
    public static func bytes(pool: ThreadPool) throws -> [UInt8] {
        try Part.allCases.flatMap { try bytes(of: $0, pool: pool) }
    }

    package static func bytes(of part: Part, pool: ThreadPool) throws -> [UInt8] {
        var proof = ProofBytes()
        switch part {
        case .numbers: ProofNumbers.add(to: &proof)
        case .lesions: ProofLesions.add(to: &proof)
        case .networks: try ProofNetworks.add(to: &proof, pool: pool)
        case .chest: _ = try ProofChest.add(to: &proof, pool: pool)
        }
        return proof.bytes
    }
}

/// Collects numbers as the bytes that they are, the lowest first.
package struct ProofBytes {
    private(set) var bytes: [UInt8] = []

    package init() {}

    mutating func add(_ values: [Float]) { values.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    mutating func add(_ values: [Double]) { values.withUnsafeBytes { bytes.append(contentsOf: $0) } }
    mutating func add(_ values: [UInt8]) { bytes.append(contentsOf: values) }
    mutating func add(_ value: Int) { withUnsafeBytes(of: Int64(value)) { bytes.append(contentsOf: $0) } }
}
