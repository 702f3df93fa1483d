import CKernels

/// Elementary functions with the same bits on every machine (the C library's differ by processor).
public enum Portable {
    public static func exp(_ x: Double) -> Double { quintet_exp(x) }
    public static func log(_ x: Double) -> Double { quintet_log(x) }
    public static func sin(_ x: Double) -> Double { quintet_sin(x) }
    public static func cos(_ x: Double) -> Double { quintet_cos(x) }
}
