import Recipes

/// Text for shells.
package enum Shell {
    /// A word that a POSIX shell takes as it is, whatever is in it.
    package static func quoted(_ word: String) -> String { "'" + word.replacing("'", with: "'\\''") + "'" }

    /// The command that ssh hands to the login shell there, whichever that is (csh and fish quote otherwise than sh):
    /// the script comes by standard input, so nobody's word is in the command line, and no process list shows it.
    /// - Parameter byteCount: the script's; what comes behind is the script's own input.
    package static func reading(scriptOf byteCount: Int) -> String {
        "exec sh -c 'eval \"$(head -c \(byteCount))\"'"
    }

    /// A command with its options as people write it, in quotes where blanks are part of a word.
    /// - Throws: `UsageError`.
    package static func words(_ text: String) throws -> [String] {
        var words: [String] = [], word: String?, quote: Character?
        for character in text {
            if let open = quote {
                if character == open { quote = nil } else { word! += String(character) }
            } else if character == "'" || character == "\"" {
                quote = character
                word = word ?? ""
            } else if character == " " || character == "\t" {
                if let whole = word { words.append(whole) }
                word = nil
            } else {
                word = (word ?? "") + String(character)
            }
        }
        guard quote == nil else { throw UsageError("--ssh: a quote is not closed in \"\(text)\"") }
        if let word { words.append(word) }
        guard let first = words.first, !first.isEmpty, !first.hasPrefix("-") else {
            throw UsageError("--ssh takes a command, as in --ssh 'ssh -p 2222'")
        }
        return words
    }
}

/// What a lab's machines are to run and whose they are.
package struct LabSettings: Sendable {
    /// Whom workers dial: HOST:PORT.
    package var coordinator: String
    /// Tells the token from others without telling it.
    package var tokenIdentity: String
    /// The folder below `versions` that the program has there.
    package var version: String

    package init(coordinator: String, tokenIdentity: String, version: String) {
        self.coordinator = coordinator
        self.tokenIdentity = tokenIdentity
        self.version = version
    }

    /// "0.1.0+3fa1c2d4e5f6-7b20c1a4de55": two programs never share a folder, be they of one commit.
    package static func version(build: String, digest: String) -> String { "\(build)-\(digest.prefix(12))" }

    /// All that a host's workers run with, for telling whether those that run there still do.
    package func description(of host: LabHost) -> String {
        (["quintet lab 1", coordinator, tokenIdentity, version, "\(host.niceness)", host.cache ?? ""]
            + (1...host.workerCount).map { host.workerOptions($0).joined(separator: " ") }).joined(separator: "\n")
    }
}
