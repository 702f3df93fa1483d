/// A page in the text format that Prometheus and OpenMetrics collectors read: each metric with what it means and its
/// kind, then its values.
package struct PrometheusText {
    package enum Kind: String { case gauge, counter }

    package private(set) var page = ""

    package init() {}

    /// One metric with several values, told apart by labels; nothing where there is none.
    /// - Parameters:
    ///   - name: with its unit last, and with `_total` behind that where it only grows.
    ///   - values: labels in the order in which they are written.
    package mutating func add(
        _ name: String, _ kind: Kind, _ help: String, _ values: [(labels: [(String, String)], value: Double)]
    ) {
        guard !values.isEmpty else { return }
        page += "# HELP \(name) \(Self.escaped(help, quote: false))\n# TYPE \(name) \(kind.rawValue)\n"
        for (labels, value) in values {
            let inside = labels.map { "\($0.0)=\"\(Self.escaped($0.1, quote: true))\"" }.joined(separator: ",")
            page += "\(name)\(inside.isEmpty ? "" : "{\(inside)}") \(Self.text(value))\n"
        }
    }

    /// One metric with one value; nothing where it is not known.
    package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double?) {
        guard let value else { return }
        add(name, kind, help, [([], value)])
    }

    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
    }

    private static func escaped(_ text: String, quote: Bool) -> String {
        var result = ""
        for character in text {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"": result += quote ? "\\\"" : "\""
            default: result.append(character)
            }
        }
        return result
    }
}
