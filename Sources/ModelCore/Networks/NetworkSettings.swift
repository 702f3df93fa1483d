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
