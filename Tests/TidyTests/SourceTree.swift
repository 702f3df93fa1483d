import Foundation

/// The repository's files as text, as the tidy tests read them.
struct SourceTree {
    struct Function {
        var firstLine: Int
        var lineCount: Int
    }

    struct File {
        var path: String
        /// The folder below Sources or Tests.
        var target: String
        var lines: [String]

        var imports: [String] {
            lines.compactMap { line in
                let words = line.split(separator: " ")
                guard let at = words.firstIndex(of: "import"), at <= 1, at + 1 < words.count else { return nil }
                guard at == 0 || words[0].hasPrefix("@") || words[0] == "public" else { return nil }
                let name = words[at + 1]
                if ["struct", "class", "enum", "func", "typealias", "protocol"].contains(name), at + 2 < words.count {
                    return String(words[at + 2].split(separator: ".")[0])
                }
                return String(name.split(separator: ".")[0])
            }
        }

        /// Functions by indentation: from `func`/`init` to the closing brace of the same indentation.
        var functions: [Function] {
            var found: [Function] = []
            for (start, line) in lines.enumerated() {
                let body = line.drop { $0 == " " }
                let words = body.split(separator: " ").prefix(6).map(String.init)
                let isFunction = words.contains { $0 == "func" || $0.hasPrefix("init(") || $0.hasPrefix("init?(") }
                guard isFunction, !body.hasPrefix("//"), !body.contains(".init(") else { continue }
                let indentation = line.count - body.count
                let end = String(repeating: " ", count: indentation) + "}"
                if line.contains("{"), line.contains("}") { continue }
                guard let last = lines[(start + 1)...].firstIndex(where: { $0 == end || $0.hasPrefix(end + " ") })
                else { continue }
                found.append(Function(firstLine: start + 1, lineCount: last - start + 1))
            }
            return found
        }

        var undocumentedPublicTypes: [(line: Int, name: String)] {
            lines.enumerated().compactMap { number, line in
                guard ["public struct ", "public final class ", "public enum ", "public protocol "]
                    .contains(where: line.hasPrefix) else { return nil }
                var above = number - 1
                while above >= 0, lines[above].hasPrefix("@") { above -= 1 }
                guard above < 0 || !lines[above].hasPrefix("///") else { return nil }
                return (number + 1, line)
            }
        }
    }

    let root: URL
    private(set) var swiftSources: [File] = []
    private(set) var swiftTests: [File] = []
    private(set) var cSources: [File] = []
    private(set) var scripts: [File] = []
    private(set) var allFiles: [(path: String, byteCount: Int)] = []

    init() {
        root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let skipped: Set<String> = [".git", ".build", ".build-tests", "demo", "dist"]
        guard let walk = FileManager.default.enumerator(atPath: root.path) else { return }
        for case let path as String in walk {
            let parts = path.split(separator: "/").map(String.init)
            if skipped.contains(parts[0]) || parts[0].hasPrefix(".build") {
                walk.skipDescendants()
                continue
            }
            let full = root.appendingPathComponent(path)
            guard walk.fileAttributes?[.type] as? FileAttributeType == .typeRegular else { continue }
            allFiles.append((path, (walk.fileAttributes?[.size] as? NSNumber)?.intValue ?? 0))
            let kind = full.pathExtension
            guard ["swift", "c", "h", "sh", "py"].contains(kind),
                let text = try? String(contentsOf: full, encoding: .utf8) else { continue }
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
            let file = File(path: path, target: parts.count > 2 ? parts[1] : "", lines: lines)
            switch (kind, parts[0]) {
            case ("swift", "Sources"): swiftSources.append(file)
            case ("swift", "Tests"): swiftTests.append(file)
            case ("c", _), ("h", _): cSources.append(file)
            case ("sh", _), ("py", _): scripts.append(file)
            default: break
            }
        }
    }
}
