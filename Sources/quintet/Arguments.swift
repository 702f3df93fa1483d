import Platform
import Recipes

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

/// A parsed command line.
struct Arguments {
    private(set) var positional: [String] = []
    /// For those who read options of their own, a recipe say.
    let values: OptionValues
    /// What the command is used with.
    let choice: RecipeChoice
    private var fromVariables: Set<String> = []

    var recipe: any RecipePlugIn { choice.recipe }

    init(_ words: [String], syntax: CommandSyntax, choice: RecipeChoice) throws {
        self.choice = choice
        var values: [String: [String]] = [:]
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
        self.values = OptionValues(values)
        if syntax.positional == nil, let first = positional.first {
            throw UsageError("it takes no argument \"\(first)\"; "
                + "see quintet \(syntax.name) --help")
        }
    }

    /// The environment has given it, not the command line.
    func isFromVariable(_ name: String) -> Bool { fromVariables.contains(name) }

    func has(_ name: String) -> Bool { values.has(name) }
    func all(_ name: String) -> [String] { values.all(name) }
    func text(_ name: String) -> String? { values.text(name) }
    func required(_ name: String) throws -> String { try values.required(name) }
    func integer(_ name: String, _ range: ClosedRange<Int>) throws -> Int? { try values.integer(name, range) }
    func number(_ name: String, _ range: ClosedRange<Double>) throws -> Double? { try values.number(name, range) }
}
