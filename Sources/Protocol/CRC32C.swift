/// CRC-32C (Castagnoli, reflected polynomial 0x82F63B78), eight bytes a step.
///
/// It finds every damage of up to 32 bits in a row; against malice stands TLS, and for blobs their SHA-256.
public struct CRC32C: Sendable {
    private var state: UInt32 = .max

    public init() {}

    /// The checksum of everything given to `update`.
    public var value: UInt32 { ~state }

    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        var state = state
        Self.tables.withUnsafeBufferPointer { tables in
            var position = 0
            while position + 8 <= bytes.count {
                let word = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
                let mixed = word ^ UInt64(state)
                state = 0
                // Table 7 belongs to the byte that seven others follow.
                for index in 0..<8 {
                    state ^= tables[(7 - index) << 8 | Int(mixed >> UInt64(8 * index) & 0xFF)]
                }
                position += 8
            }
            while position < bytes.count {
                state = state >> 8 ^ tables[Int(state & 0xFF ^ UInt32(bytes[position]))]
                position += 1
            }
        }
        self.state = state
    }

    public static func checksum(of bytes: [UInt8]) -> UInt32 {
        var checksum = CRC32C()
        bytes.withUnsafeBytes { checksum.update($0) }
        return checksum.value
    }

    /// Eight tables of 256: table k is the effect of a byte that k others follow.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var remainder = UInt32(byte)
            for _ in 0..<8 {
                remainder = remainder & 1 == 1 ? remainder >> 1 ^ 0x82F6_3B78 : remainder >> 1
            }
            tables[byte] = remainder
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()
}
