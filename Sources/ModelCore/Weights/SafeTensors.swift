/// A safetensors file in memory: named tensors and strings (https://github.com/huggingface/safetensors).
///
/// The file is 8 bytes of header length, little-endian; a JSON object of name -> dtype, shape, data_offsets; the data.
/// Everything a header says is checked before anything is allocated or indexed by it.
public struct SafeTensors: Equatable, Sendable {
    /// The number formats that are understood.
    public enum ElementType: String, Sendable, CaseIterable {
        case float64 = "F64", float32 = "F32", float16 = "F16", bfloat16 = "BF16"
        case int64 = "I64", int32 = "I32", uint8 = "U8"

        public var byteCount: Int {
            switch self {
            case .float64, .int64: 8
            case .float32, .int32: 4
            case .float16, .bfloat16: 2
            case .uint8: 1
            }
        }
    }

    public struct Tensor: Equatable, Sendable {
        public let type: ElementType
        /// Empty for a scalar.
        public let shape: [Int]
        /// Little-endian, last axis fastest.
        public let bytes: [UInt8]

        public init(shape: [Int], floats: some Collection<Float>) {
            precondition(floats.count == shape.reduce(1, *), "\(floats.count) numbers do not fill \(shape)")
            self.init(type: .float32, shape: shape, words: floats.map { $0.bitPattern.littleEndian })
        }

        public init(shape: [Int], bytes: [UInt8]) {
            precondition(bytes.count == shape.reduce(1, *), "\(bytes.count) numbers do not fill \(shape)")
            self.init(type: .uint8, shape: shape, bytes: bytes)
        }

        /// A scalar.
        public init(integer: Int64) { self.init(type: .int64, shape: [], words: [integer.littleEndian]) }

        init(type: ElementType, shape: [Int], bytes: [UInt8]) {
            self.type = type
            self.shape = shape
            self.bytes = bytes
        }

        private init(type: ElementType, shape: [Int], words: [some FixedWidthInteger]) {
            self.init(type: type, shape: shape, bytes: words.withUnsafeBytes { [UInt8]($0) })
        }

        public var count: Int { shape.reduce(1, *) }

        /// The numbers as floats, from any floating-point format (F64 is rounded); nil for integers.
        public func floats() -> [Float]? {
            switch type {
            case .float32: words(UInt32.self).map { Float(bitPattern: $0) }
            case .float64: words(UInt64.self).map { Float(Double(bitPattern: $0)) }
            case .bfloat16: words(UInt16.self).map { Float(bitPattern: UInt32($0) << 16) }
            case .float16: words(UInt16.self).map(Tensor.float(half:))
            case .int64, .int32, .uint8: nil
            }
        }

        /// The value of an I64 scalar (shape [] or [1]); nil for anything else.
        public var integer: Int64? {
            type == .int64 && count == 1 ? words(UInt64.self).first.map { Int64(bitPattern: $0) } : nil
        }

        private func words<Word: FixedWidthInteger>(_: Word.Type) -> [Word] {
            bytes.withUnsafeBytes { raw in
                (0..<raw.count / MemoryLayout<Word>.size).map {
                    Word(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * MemoryLayout<Word>.size, as: Word.self))
                }
            }
        }

        // IEEE half precision by hand: Float16 is not there on every platform Swift runs on.
        private static func float(half: UInt16) -> Float {
            let sign: Float = half >> 15 == 1 ? -1 : 1
            let exponent = Int(half >> 10 & 31), fraction = Float(half & 1023)
            switch exponent {
            case 0: return sign * fraction * 0x1p-24
            case 31: return fraction == 0 ? sign * .infinity : .nan
            default: return sign * Float(sign: .plus, exponent: exponent - 15, significand: 1 + fraction / 1024)
            }
        }
    }

    package enum Limits {
        package static let headerBytesMax = 16 << 20
        static let dimensionsMax = 16
        static let tensorsMax = 1 << 16
        static let nameBytesMax = 1024
    }

    /// What messages call the file.
    public var name: String
    public var tensors: [String: Tensor] = [:]
    public var metadata: [String: String] = [:]

    public init(name: String) { self.name = name }

    /// Reads a whole file.
    ///
    /// - Throws: `ModelError.malformedFile` naming the file and the first thing wrong: a truncated or oversized
    ///   header, duplicate names, unknown formats, shapes that overflow or disagree with their bytes, tensors that
    ///   overlap, leave holes or lie outside the file.
    public init(bytes: [UInt8], name: String) throws {
        self.name = name
        func fail(_ reason: String) -> ModelError { .malformedFile(name: name, reason: reason) }
        if let other = Self.otherFormat(bytes) { throw fail(other) }
        guard bytes.count >= 8 else { throw fail("it has \(bytes.count) bytes, the header's length alone takes 8") }
        let length = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(Limits.headerBytesMax) else {
            throw fail("its header claims \(length) bytes, more than \(Limits.headerBytesMax)")
        }
        guard length <= UInt64(bytes.count - 8) else {
            throw fail("its header claims \(length) bytes, but only \(bytes.count - 8) follow: the file is cut off")
        }
        let dataStart = 8 + Int(length)
        do {
            let header = try SafeTensorsHeader(bytes: bytes[8..<dataStart], dataByteCount: bytes.count - dataStart)
            metadata = header.metadata
            for entry in header.entries {
                let range = dataStart + entry.bytes.lowerBound..<dataStart + entry.bytes.upperBound
                tensors[entry.name] = Tensor(type: entry.type, shape: entry.shape, bytes: Array(bytes[range]))
            }
        } catch {
            throw fail(error.reason)
        }
    }

    /// What people take for safetensors. Read as the header's length, each of these beginnings is larger than any.
    private static func otherFormat(_ bytes: [UInt8]) -> String? {
        func begins(_ start: [UInt8]) -> Bool { bytes.starts(with: start) }
        if begins(Array("PK\u{3}\u{4}".utf8)) || begins([0x80, 0x02, 0x8A, 0x0A]) {
            return "it is what torch.save writes (.pt, .pth), which may hold any program; save it in Python with "
                + "safetensors.torch.save_file(network.state_dict(), \"weights.safetensors\", metadata={...})"
        }
        if begins(Array("version https://git-lfs".utf8)) {
            return "it is a pointer of Git LFS, not the file itself; fetch that with git lfs pull"
        }
        return nil
    }

    /// The file's bytes: the same for the same contents (names sorted, header padded with spaces to 8 bytes).
    public func serialised() -> [UInt8] {
        let order = tensors.keys.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        var header = "{", offset = 0
        if !metadata.isEmpty {
            let strings = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
            header += "\"__metadata__\":{" + strings.joined(separator: ",") + "}"
        }
        for name in order {
            let tensor = tensors[name]!
            let shape = tensor.shape.map { "\($0)" }.joined(separator: ",")
            header += header == "{" ? "" : ","
            header += "\(quoted(name)):{\"dtype\":\"\(tensor.type.rawValue)\",\"shape\":[\(shape)],"
            header += "\"data_offsets\":[\(offset),\(offset + tensor.bytes.count)]}"
            offset += tensor.bytes.count
        }
        header += "}"
        var text = Array(header.utf8)
        while text.count % 8 != 0 { text.append(UInt8(ascii: " ")) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + text.count + offset)
        withUnsafeBytes(of: UInt64(text.count).littleEndian) { bytes.append(contentsOf: $0) }
        bytes += text
        for name in order { bytes += tensors[name]!.bytes }
        return bytes
    }

    private func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
