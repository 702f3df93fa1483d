import Foundation
import Recipes

/// Tells in words where two sets of settings differ: "seed 1 -> 2, preset.batch 4 -> 8".
enum SettingsComparison {
    /// - Returns: one entry a setting, by name; empty when they are equal.
    static func differences(from old: some Encodable, to new: some Encodable) -> [String] {
        let before = flat(old), after = flat(new)
        return Set(before.keys).union(after.keys).sorted().compactMap { key in
            let (one, other) = (before[key] ?? "none", after[key] ?? "none")
            return one == other ? nil : "\(key) \(shown(one)) -> \(shown(other))"
        }
    }

    /// A digest is told by its beginning.
    private static func shown(_ value: String) -> String {
        value.count == 64 && value.allSatisfy(\.isHexDigit) ? value.prefix(8) + "..." : value
    }

    private static func flat(_ value: some Encodable) -> [String: String] {
        let object = try? JSONSerialization.jsonObject(with: Data(JSONText.encode(value).utf8))
        var result: [String: String] = [:]
        flatten(object, "", &result)
        return result
    }

    private static func flatten(_ value: Any?, _ path: String, _ result: inout [String: String]) {
        if let object = value as? [String: Any] {
            for (key, inner) in object { flatten(inner, path.isEmpty ? key : "\(path).\(key)", &result) }
        } else if let list = value as? [Any] {
            result[path] = "[" + list.map { "\($0)" }.joined(separator: ",") + "]"
        } else if let value {
            result[path] = "\(value)"
        }
    }
}
