/// Any JSON: what a command carries of a recipe's settings without knowing them. Encoded again it is the same text as
/// before, whole numbers as whole numbers, where `JSONText` wrote it.
public enum JSONValue: Codable, Hashable, Sendable {
    case null
    case boolean(Bool)
    case integer(Int)
    case number(Double)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(Bool.self) {
            self = .boolean(value)
        } else if let value = try? container.decode(Int.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode([JSONValue].self) {
            self = .list(value)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }
        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    public func encode(to encoder: any Encoder) throws {
        // By its keys, so that an object can stand in one with others.
        if case .object(let value) = self {
            var container = encoder.container(keyedBy: Key.self)
            for (key, value) in value { try container.encode(value, forKey: Key(stringValue: key)) }
            return
        }
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .boolean(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let value): try container.encode(value)
        case .object: break
        }
    }

    /// Of any value that JSON can say.
    public init(_ value: some Encodable) {
        // What was just encoded is JSON.
        self = (try? JSONText.decode(JSONValue.self, JSONText.encode(value), what: "a value")) ?? .null
    }

    /// Sorted keys, so that equal values are equal text.
    public var json: String { JSONText.encode(self) }

    /// nil for everything but numbers.
    public var double: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// nil for everything but a list of texts.
    public var texts: [String]? {
        guard case .list(let values) = self else { return nil }
        let texts = values.compactMap { value in
            if case .text(let text) = value { text } else { nil as String? }
        }
        return texts.count == values.count ? texts : nil
    }
}
