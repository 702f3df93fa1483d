import Platform

/// One option of a command, as `--help` shows it.
struct Option {
    var name: String
    /// What stands for the value in the help; nil for a switch.
    var value: String?
    var help: String
    var isRequired: Bool
    /// May be given more than once.
    var isRepeatable: Bool
    /// Of the environment: what it holds counts where the option is not given. Empty is as not set.
    var variable: String?

    init(
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
    var usage: String { name + (value.map { " " + $0 } ?? "") }
}

/// What a command takes: the source of both its parser and its help.
struct CommandSyntax {
    var name: String
    var summary: String
    /// How positional arguments are written in the help; nil when there are none.
    var positional: String?
    var options: [Option]
    /// More for `--help`: what is read, what is written, examples.
    var details: String

    init(_ name: String, _ summary: String, positional: String? = nil, options: [Option], details: String) {
        self.name = name
        self.summary = summary
        self.positional = positional
        self.options = options
        self.details = details
    }
}

/// A wrong command line: exit code 2.
package struct UsageError: Error, CustomStringConvertible {
    package var description: String
    init(_ description: String) { self.description = description }
}

/// A parsed command line. Values are converted where they are used, so that the message can name the option.
struct Arguments {
    private(set) var positional: [String] = []
    private var values: [String: [String]] = [:]
    private var fromVariables: Set<String> = []

    init(_ words: [String], syntax: CommandSyntax) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("--"), word != "--" else {
                positional.append(word)
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            guard let option = syntax.options.first(where: { $0.name == parts[0] }) else {
                throw UsageError("there is no option \(parts[0])"
                    + Spelling.suggestion(for: parts[0], among: syntax.options.map(\.name))
                    + "; see quintet \(syntax.name) --help")
            }
            // Of two answers to one question the first would be lost without a word.
            guard values[option.name] == nil || option.isRepeatable else {
                throw UsageError("\(option.name) is given twice; give it once")
            }
            if option.value == nil {
                guard parts.count == 1 else { throw UsageError("\(option.name) takes no value") }
                values[option.name, default: []].append("")
            } else if parts.count == 2 {
                values[option.name, default: []].append(parts[1])
            } else {
                guard let value = rest.popFirst() else {
                    throw UsageError("\(option.name) needs a value: \(option.name) \(option.value!)")
                }
                values[option.name, default: []].append(value)
                // `--votes A B C`: options written with dots take all words up to the next option.
                while option.value!.hasSuffix("..."), let next = rest.first, !next.hasPrefix("--") {
                    values[option.name, default: []].append(next)
                    rest.removeFirst()
                }
            }
        }
        // A variable of a script that was never set.
        if let (name, _) = values.sorted(by: { $0.key < $1.key }).first(where: { name, values in
            values.contains("") && syntax.options.contains { $0.name == name && $0.value != nil }
        }) {
            throw UsageError("\(name) is empty; give it a value")
        }
        let known = Set(syntax.options.map(\.name))
        precondition(known.count == syntax.options.count, "quintet \(syntax.name) has an option twice")
        for option in syntax.options where values[option.name] == nil {
            guard let text = option.variable.flatMap({ Machine.environment($0) }), !text.isEmpty else { continue }
            values[option.name] = [text]
            fromVariables.insert(option.name)
        }
        if syntax.positional == nil, let first = positional.first {
            throw UsageError("it takes no argument \"\(first)\"; "
                + "see quintet \(syntax.name) --help")
        }
    }

    /// The environment has given it, not the command line.
    func isFromVariable(_ name: String) -> Bool { fromVariables.contains(name) }

    func has(_ name: String) -> Bool { values[name] != nil }
    func all(_ name: String) -> [String] { values[name] ?? [] }
    func text(_ name: String) -> String? { values[name]?.last }

    func required(_ name: String) throws -> String {
        guard let value = text(name) else { throw UsageError("\(name) is needed; see --help") }
        return value
    }

    func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let value = text(name) else { return nil }
        guard let number = Int(value), range.contains(number) else {
            throw UsageError("\(name) takes a whole number from \(range.lowerBound) to \(range.upperBound), "
                + "not \"\(value)\"")
        }
        return number
    }

    func number(_ name: String, _ range: ClosedRange<Double>) throws -> Double? {
        guard let value = text(name) else { return nil }
        guard let number = Double(value), range.contains(number) else {
            throw UsageError("\(name) takes a number from \(range.lowerBound) to \(range.upperBound), "
                + "not \"\(value)\"")
        }
        return number
    }
}
