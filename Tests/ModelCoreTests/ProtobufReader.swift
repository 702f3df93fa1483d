/// Reads protocol buffers, written from their specification alone, so that writer and reader cannot share a mistake.
struct ProtobufReader {
    enum Field: Equatable {
        case number(UInt64)
        case bytes([UInt8])
    }

    /// In the order of the file.
    private(set) var fields: [(number: Int, value: Field)] = []

    /// nil for what is no message.
    init?(_ bytes: [UInt8]) {
        var rest = bytes[...]
        func variable() -> UInt64? {
            var value: UInt64 = 0
            for shift in stride(from: 0, to: 64, by: 7) {
                guard let byte = rest.popFirst() else { return nil }
                value |= UInt64(byte & 0x7F) << UInt64(shift)
                if byte < 0x80 { return value }
            }
            return nil
        }
        func fixed(_ count: Int) -> UInt64? {
            guard rest.count >= count else { return nil }
            defer { rest = rest.dropFirst(count) }
            return rest.prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while !rest.isEmpty {
            guard let key = variable() else { return nil }
            let number = Int(key >> 3)
            switch key & 7 {
            case 0: fields.append((number, .number(variable() ?? 0)))
            case 1: fields.append((number, .number(fixed(8) ?? 0)))
            case 5: fields.append((number, .number(fixed(4) ?? 0)))
            case 2:
                guard let count = variable().map(Int.init), rest.count >= count else { return nil }
                fields.append((number, .bytes(Array(rest.prefix(count)))))
                rest = rest.dropFirst(count)
            default: return nil
            }
        }
    }

    func numbers(_ field: Int) -> [UInt64] {
        fields.compactMap { if $0.number == field, case .number(let value) = $0.value { value } else { nil } }
    }

    func bytes(_ field: Int) -> [[UInt8]] {
        fields.compactMap { if $0.number == field, case .bytes(let value) = $0.value { value } else { nil } }
    }

    func texts(_ field: Int) -> [String] { bytes(field).map { String(decoding: $0, as: UTF8.self) } }
    func messages(_ field: Int) -> [ProtobufReader] { bytes(field).compactMap(ProtobufReader.init) }
}
