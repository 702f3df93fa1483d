import CKernels

/// The instruction sets the kernels are compiled for. All but `naive` give the same bits; `naive` are the plain loops
/// that judge the others.
package enum KernelVariant: Int32, CaseIterable, Sendable {
    case naive = 0, portable = 1, avx2 = 2, avx512 = 3

    package var isAvailable: Bool { quintet_variant_available(rawValue) != 0 }

    package static var current: KernelVariant { KernelVariant(rawValue: quintet_variant_current())! }

    /// Runs `body` with this variant for operations started by this thread. Networks must be made inside, for weights
    /// are packed to the variant's taste. For tests and benchmarks.
    package func force<Result>(_ body: () throws -> Result) rethrows -> Result {
        precondition(isAvailable, "this processor has no \(self)")
        quintet_variant_force(rawValue)
        defer { quintet_variant_release() }
        return try body()
    }

    /// Runs `body` with direct convolutions only. Winograd's rounding (1e-5) turns the sign of more values next to
    /// PReLU's kink than plain rounding does, which hides behind 1e-3 in a whole network's gradients: judge those here.
    package static func withoutWinograd<Result>(_ body: () throws -> Result) rethrows -> Result {
        quintet_winograd_forbid(1)
        defer { quintet_winograd_forbid(0) }
        return try body()
    }
}
