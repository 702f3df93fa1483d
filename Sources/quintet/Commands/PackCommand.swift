import Platform
import Recipes

/// `quintet pack`
enum PackCommand: Command {
    static let syntax = CommandSyntax(
        "pack", "Put a finished run into one file, to share it.", positional: "RUN",
        options: [
            Option("--out", "FILE", "what is written: run.quintet.tar, say", isRequired: true),
            Option("--licence", "TEXT", "what the weights may be used for: \"CC BY 4.0\", say"),
            Option("--about", "FILE", "a text about the data, for the model card"),
            Option("--evaluation", "FILE", "what quintet evaluate --json has printed, for the model card"),
            Option("--overwrite", nil, "replace FILE"),
        ],
        details: """
            FILE is a plain tar: quintet-pack.json (names, sizes and digests), MODEL_CARD.md (data, figures, limits,
            licence), run.json, metrics.csv and the weights. report.html, which may name CTs, stays behind, and so do
            the optimisers' states. Equal runs and options give equal bytes; the digest that is printed is sha256sum's.

            example: quintet pack run --out run.quintet.tar --licence "CC BY 4.0" --about data.txt
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1, let path = arguments.positional.first else {
            throw UsageError("name one run: quintet pack RUN --out FILE")
        }
        let target = try arguments.required("--out"), registry = arguments.choice.registry
        let run = try RunFolder(path, in: registry)
        let texts = ["--about", "--evaluation"].compactMap(arguments.text)
        try OutputGuard.refuse(
            outputs: [target], inputs: run.replicaPaths + [RunFolder.descriptionPath(path)] + texts)
        if FileSystem.exists(target), !arguments.has("--overwrite") {
            throw CommandError("\(target) is there already; name another file, or say --overwrite")
        }
        let card = ModelCard(
            run: run, licence: arguments.text("--licence"),
            about: try arguments.text("--about").map { try FileSystem.readText($0, byteCountMax: 1 << 20) },
            evaluation: try arguments.text("--evaluation").map(evaluation))
        let bytes = try RunPack.bytes(of: run, card: card.text())
        try PromptEnd.holdingOff { try AtomicFile.write(bytes, to: target) }
        Console.out("\(SHA256.hexadecimal(of: bytes))  \(target)")
        return .done
    }

    private static func evaluation(_ path: String) throws -> [JSONValue] {
        let text = try FileSystem.readText(path, byteCountMax: 64 << 20)
        return try JSONText.decode([JSONValue].self, text, what: path)
    }
}
