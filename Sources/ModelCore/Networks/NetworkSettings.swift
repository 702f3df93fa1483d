import Numerics

/// Reads settings from metadata.
struct NetworkSettings {
    let metadata: [String: String]

    func refusal(_ key: String, _ wanted: String) -> ModelError {
        let said = metadata[key].map { $0.utf8.count <= 1024 ? $0.printable(most: 60) : "very long" } ?? ""
        return .invalidConfiguration("\"\(key)\" is \"\(said)\"; only \(wanted) is computed here")
    }

    func value(_ key: String) throws -> PythonValue {
        guard let written = metadata[key] else {
            throw ModelError.invalidConfiguration("the metadata has no \"\(key)\"; write it beside the weights")
        }
        guard let value = PythonValue(written) else { throw refusal(key, "a value as Python writes it") }
        return value
    }

    func number(_ key: String) throws -> Int {
        guard let value = try value(key).whole else { throw refusal(key, "a whole number") }
        return value
    }

    /// A whole number for each level. One that is written for each axis must be the same along all.
    func list(_ key: String) throws -> [Int] {
        let wanted = "a list of whole numbers, like [16, 32]"
        let values = try value(key)
        if let single = values.whole { return [single] }
        guard case .list(let values) = values else { throw refusal(key, wanted) }
        return try values.map { value in
            guard let number = same(value) else { throw refusal(key, wanted + ", the same along every axis,") }
            return number
        }
    }

    /// A whole number for each axis, written once or for every one.
    func perAxis(_ value: PythonValue, dimensions: Int) -> PerAxis? {
        func all(_ sides: [Int]) -> PerAxis? {
            guard sides.count == dimensions, let width = sides.last else { return nil }
            return PerAxis(depth: dimensions == 3 ? sides[0] : 1, height: sides[dimensions - 2], width: width)
        }
        guard case .list(let axes) = value else {
            return value.whole.flatMap { all([Int](repeating: $0, count: dimensions)) }
        }
        let sides = axes.compactMap(\.whole)
        return sides.count == axes.count ? all(sides) : nil
    }

    /// The same for a setting that may be missing.
    func perAxis(_ key: String, dimensions: Int, default fallback: Int) throws -> PerAxis {
        guard metadata[key] != nil else { return perAxis(.number(Double(fallback)), dimensions: dimensions)! }
        guard let size = perAxis(try value(key), dimensions: dimensions) else {
            throw refusal(key, "a whole number, or \(dimensions) of them,")
        }
        return size
    }

    /// The same for each level.
    func listPerAxis(_ key: String, dimensions: Int) throws -> [PerAxis] {
        let written = try value(key), levels: [PythonValue]
        if case .list(let all) = written { levels = all } else { levels = [written] }
        return try levels.map { level in
            guard let size = perAxis(level, dimensions: dimensions) else {
                throw refusal(key, "a list of whole numbers, or of \(dimensions) of them for each level,")
            }
            return size
        }
    }

    /// 3 of `3` and of `(3, 3, 3)`.
    func same(_ value: PythonValue) -> Int? {
        guard case .list(let axes) = value else { return value.whole }
        guard axes.count == 3, let first = axes[0].whole, axes.allSatisfy({ $0.whole == first }) else { return nil }
        return first
    }

    /// A setting that can be one thing only.
    func require(_ key: String, _ wanted: String) throws {
        guard metadata[key] == wanted else { throw refusal(key, "\"\(wanted)\"") }
    }
}
