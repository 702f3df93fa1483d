/// One option of a command, as `--help` shows it. Commands have their own, and those of the recipe they are used with.
public struct Option: Sendable {
    public var name: String
    /// What stands for the value in the help; nil for a switch.
    public var value: String?
    public var help: String
    public var isRequired: Bool
    /// May be given more than once.
    public var isRepeatable: Bool
    /// Of the environment: what it holds counts where the option is not given. Empty is as not set.
    public var variable: String?

    public init(
        _ name: String, _ value: String? = nil, _ help: String, isRequired: Bool = false, isRepeatable: Bool = false,
        variable: String? = nil
    ) {
        self.name = name
        self.value = value
        self.help = help + (variable.map { "; default: \($0) of the environment" } ?? "")
        self.isRequired = isRequired
        self.isRepeatable = isRepeatable
        self.variable = variable
    }

    /// "--out DIR"
    public var usage: String { name + (value.map { " " + $0 } ?? "") }
}

/// A wrong command line: exit code 2.
public struct UsageError: Error, CustomStringConvertible {
    public var description: String
    public init(_ description: String) { self.description = description }
}

/// What the command line gives for options, as text. Values are converted where they are used, so that the message can
/// name the option.
public struct OptionValues: Sendable {
    private var values: [String: [String]]

    /// - Parameter values: by the option's name, in the order in which they were given; a switch has "".
    public init(_ values: [String: [String]] = [:]) { self.values = values }

    public func has(_ name: String) -> Bool { values[name] != nil }
    public func all(_ name: String) -> [String] { values[name] ?? [] }
    public func text(_ name: String) -> String? { values[name]?.last }

    /// - Throws: `UsageError` where it is missing.
    public func required(_ name: String) throws -> String {
        guard let value = text(name) else { throw UsageError("\(name) is needed; see --help") }
        return value
    }

    /// - Throws: `UsageError` naming the option and the range.
    public func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = text(name) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw UsageError("\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), "
                + "not \"\(value)\"")
        }
        return number
    }

    /// - Throws: `UsageError` naming the option and the range.
    public func number(_ name: String, _ range: ClosedRange<Double>) throws -> Double? {
        guard let value = text(name) else { return nil }
        guard let number = Double(value), range.contains(number) else {
            throw UsageError("\(name) takes a number from \(range.lowerBound) to \(range.upperBound), "
                + "not \"\(value)\"")
        }
        return number
    }

    /// Whole numbers with commas between them, any number of them.
    /// - Throws: `UsageError` naming the option and the range.
    public func integers(_ name: String, _ range: ClosedRange<Int>) throws -> [Int]? {
        guard let text = text(name) else { return nil }
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
        guard values.allSatisfy({ $0.map(range.contains) ?? false }) else {
            throw UsageError("\(name) takes whole numbers from \(range.lowerBound) to \(range.upperBound) with commas "
                + "between, not \"\(text)\"")
        }
        return values.compactMap { $0 }
    }

    /// So many numbers with commas between them.
    /// - Throws: `UsageError` naming the option and the range.
    public func numbers(_ name: String, count: Int, _ range: ClosedRange<Double>) throws -> [Double]? {
        guard let text = text(name) else { return nil }
        let values = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
        guard values.count == count, values.allSatisfy({ $0.map(range.contains) ?? false }) else {
            throw UsageError("\(name) takes \(count) numbers from \(range.lowerBound) to \(range.upperBound) with "
                + "commas between, not \"\(text)\"")
        }
        return values.compactMap { $0 }
    }
}
