import Foundation
import Numerics

/// JSON in one spelling: sorted keys, no spaces.
public enum JSONText {
    /// One line of JSON.
    public static func encode(_ value: some Encodable, pretty: Bool = false) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = pretty ? [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
            : [.sortedKeys, .withoutEscapingSlashes]
        guard let data = try? encoder.encode(value) else {
            preconditionFailure("\(type(of: value)) holds a number that JSON cannot say")
        }
        return String(decoding: data, as: UTF8.self)
    }

    /// - Parameter what: names the text in the error.
    /// - Throws: `RecipeError.inputRefused`.
    public static func decode<Value: Decodable>(_ type: Value.Type, _ text: String, what: String) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(text.utf8))
        } catch {
            let reason = "\(error)".printable(most: 400)
            throw RecipeError.inputRefused("\(what) is not what this version of quintet writes (\(reason)); "
                + "make it again with the same version")
        }
    }
}
