/// What one iteration of a session gave: name -> number. What the names mean, and which numbers are plausible, the
/// recipe knows.
public struct IterationFigures: Hashable, Sendable {
    public var iteration: UInt32
    public var values: [String: Double]

    public init(iteration: UInt32, _ values: [String: Double]) {
        self.iteration = iteration
        self.values = values
    }

    /// "dice=0.875 loss=0.25", by name.
    public var text: String {
        values.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
    }

    /// As `text` has written it.
    public init?(iteration: UInt32, text: String) {
        var values: [String: Double] = [:]
        for pair in text.split(separator: " ") {
            let parts = pair.split(separator: "=", maxSplits: 1)
            guard parts.count == 2, let value = Double(parts[1]) else { return nil }
            values[String(parts[0])] = value
        }
        self.init(iteration: iteration, values)
    }

    /// A name is a column of a table.
    public static func isName(_ text: String) -> Bool {
        text.isPlainName && text.utf8.count <= Limits.figureNameBytesMax
    }

    static let bytesMin = 4

    /// The names once, in order; then of each iteration its values. Any bits are a value: a training that went wrong
    /// says so with a NaN.
    static func write(_ list: [IterationFigures], to writer: inout ByteWriter) throws(ProtocolError) {
        let names = (list.first?.values.keys).map { $0.sorted() } ?? []
        try writer.write(list: names, "figures.names", max: Limits.figuresMax) {
            (writer, name) throws(ProtocolError) in
            guard isName(name) else { throw .invalidValue(field: "figures.name", value: name) }
            try writer.write(label: name, "figures.name", max: Limits.figureNameBytesMax)
        }
        writer.reserve(list.count * (bytesMin + 8 * names.count))
        try writer.write(list: list, "figures", max: Limits.metricsMax) { (writer, figures) throws(ProtocolError) in
            guard figures.values.count == names.count else {
                throw .invalidValue(field: "figures", value: "iterations with different names")
            }
            writer.write(figures.iteration)
            for name in names {
                guard let value = figures.values[name] else {
                    throw .invalidValue(field: "figures", value: "iterations with different names")
                }
                writer.write(value)
            }
        }
    }

    static func list(from reader: inout ByteReader) throws(ProtocolError) -> [IterationFigures] {
        let names = try reader.list("figures.names", max: Limits.figuresMax, elementBytesMin: 2) {
            (reader) throws(ProtocolError) in
            let name = try reader.label("figures.name", max: Limits.figureNameBytesMax)
            guard isName(name) else { throw .invalidValue(field: "figures.name", value: name) }
            return name
        }
        guard names == Set(names).sorted() else {
            throw .invalidValue(field: "figures.names", value: "not each once in order")
        }
        let list = try reader.list("figures", max: Limits.metricsMax, elementBytesMin: bytesMin + 8 * names.count) {
            (reader) throws(ProtocolError) in
            var figures = IterationFigures(iteration: try reader.number("figures.iteration"), [:])
            for name in names { figures.values[name] = try reader.double("figures.value") }
            return figures
        }
        guard !list.isEmpty || names.isEmpty else {
            throw .invalidValue(field: "figures.names", value: "names of nothing")
        }
        return list
    }
}
