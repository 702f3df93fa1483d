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

    /// Runs `body` with direct convolutions only. Winograd's rounding (6e-7 where theirs is 2e-7) turns the sign
    /// of more values next to PReLU's kink.
    package static func withoutWinograd<Result>(_ body: () throws -> Result) rethrows -> Result {
        quintet_winograd_forbid(1)
        defer { quintet_winograd_forbid(0) }
        return try body()
    }
}

/// The kernels of a whole process, by name: what the environment's QUINTET_KERNELS says.
public enum KernelChoice {
    /// Instruction sets that all give the same bytes, then the two that judge: `direct` is without Winograd on the best
    /// set, `naive` the plain loops. Each of the two has its own bytes.
    public static let names = ["portable", "avx2", "avx512", "direct", "naive"]

    /// To be called before the process makes its first network.
    ///
    /// - Throws: `ModelError.unavailableKernels` when there are none of this name here.
    public static func prefer(_ name: String) throws(ModelError) {
        if name == "direct" { return quintet_variant_prefer(-1, 1) }
        guard names.contains(name), let variant = KernelVariant.allCases.first(where: { "\($0)" == name }),
            variant.isAvailable
        else { throw .unavailableKernels(name: name, available: available) }
        quintet_variant_prefer(variant.rawValue, 0)
    }

    private static var available: [String] {
        names.filter { name in KernelVariant.allCases.first { "\($0)" == name }?.isAvailable ?? true }
    }
}
