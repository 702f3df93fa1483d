import Platform
import Recipes

/// `quintet unpack`
enum UnpackCommand: Command {
    static let syntax = CommandSyntax(
        "unpack", "Take a run out of a file that quintet pack has written.", positional: "FILE",
        options: [
            Option("--out", "DIR", "where to write", isRequired: true),
            Option("--sha256", "DIGEST", "refuse FILE where it has another digest than the one that was published"),
            Option("--overwrite", nil, "replace files in DIR that quintet did not write"),
        ],
        details: """
            Everything is looked at before anything is written: every file is there once, under its own name, with the
            size and the digest that quintet-pack.json has of it, and the weights are those that run.json names. That
            shows damage, not who packed it: for that compare the digest (--sha256) with one that you had another way.
            DIR is then a run: quintet segment --run DIR. Read DIR/MODEL_CARD.md first.

            example: quintet unpack run.quintet.tar --out run
            """)

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.count == 1, let path = arguments.positional.first else {
            throw UsageError("name one file: quintet unpack FILE --out DIR")
        }
        let out = try arguments.required("--out")
        if let wanted = arguments.text("--sha256") { try check(path, digest: wanted.lowercased()) }
        let pack = try RunPack(path, in: arguments.choice.registry)
        let output = try OutputFolder(out, kind: "unpack", mayOverwrite: arguments.has("--overwrite"))
        try output.check(pack.names, inputs: [path])
        let strangers = try output.strangers().filter { !pack.names.contains($0) }
        guard strangers.isEmpty || arguments.has("--overwrite") else {
            throw CommandError("\(out) holds other files (\(OutputFolder.list(strangers))); name a new folder")
        }
        let claim = try output.claim()
        defer { withExtendedLifetime(claim) {} }
        try PromptEnd.holdingOff { try pack.write(to: output) }
        let run = pack.run.description
        Console.out("\(out) is a run of \(run.recipe) (replicas: \(run.replicaCount)); what it was made of, and is not "
            + "for, is in \(out)/\(RunPack.cardName)")
        return .done
    }

    private static func check(_ path: String, digest wanted: String) throws {
        guard Hexadecimal.bytes(wanted)?.count == 32 else {
            throw UsageError("--sha256 takes the 64 digits that sha256sum prints")
        }
        let digest = Hexadecimal.text(try SHA256.digest(ofFile: path))
        guard digest == wanted else {
            throw CommandError("\(path) has the digest \(digest), not the one of --sha256; nothing was written: get it "
                + "again from whoever packed it")
        }
    }
}
