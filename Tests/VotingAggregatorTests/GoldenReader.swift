import Foundation

/// Reads the little-endian golden files one value after another.
struct GoldenReader {
    private let bytes: [UInt8]
    private var offset = 0

    /// - Parameter name: a file in Goldens/.
    init(_ name: String) throws {
        let folder = Bundle.module.resourceURL!.appendingPathComponent("Goldens")
        bytes = [UInt8](try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    var isAtEnd: Bool { offset == bytes.count }

    mutating func array<Value: BitwiseCopyable>(_ count: Int, of type: Value.Type) -> [Value] {
        let size = count * MemoryLayout<Value>.size
        defer { offset += size }
        return bytes[offset..<offset + size].withUnsafeBytes { raw in
            (0..<count).map { raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Value>.size, as: type) }
        }
    }

    mutating func int() -> Int { Int(array(1, of: Int32.self)[0]) }
}
