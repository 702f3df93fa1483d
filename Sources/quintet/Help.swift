import Recipes

/// How help looks on a terminal of 80 columns and more.
enum Help {
    static func command(_ syntax: CommandSyntax) -> String {
        var lines = [syntax.summary, "", "usage: " + usage(syntax)]
        if !syntax.options.isEmpty {
            lines += ["", "options:"]
            let left = syntax.options.map(\.usage)
            let width = min(30, left.map(\.count).max() ?? 0)
            for (head, option) in zip(left, syntax.options) {
                let wrapped = wrap(help(option), width: 96 - width)
                if head.count > width {
                    lines.append("  " + head)
                    lines += wrapped.map { String(repeating: " ", count: width + 4) + $0 }
                } else {
                    let padding = String(repeating: " ", count: width - head.count + 2)
                    lines.append("  " + head + padding + wrapped[0])
                    lines += wrapped.dropFirst().map { String(repeating: " ", count: width + 4) + $0 }
                }
            }
        }
        if !syntax.details.isEmpty { lines += ["", syntax.details] }
        return lines.joined(separator: "\n")
    }

    /// "quintet train --data DATA --run RUN [options]"
    static func usage(_ syntax: CommandSyntax) -> String {
        let needed = syntax.options.filter(\.isRequired)
        return (["quintet", syntax.name] + (syntax.positional.map { [$0] } ?? []) + needed.map(\.usage)
            + (needed.count < syntax.options.count ? ["[options]"] : [])).joined(separator: " ")
    }

    static func help(_ option: Option) -> String {
        option.help + (option.isRequired ? " (needed)" : "") + (option.isRepeatable ? " (may be repeated)" : "")
    }

    static func overview(_ commands: [CommandSyntax], version: String) -> String {
        let width = commands.map(\.name.count).max() ?? 0
        let rows = commands.map {
            "  " + $0.name + String(repeating: " ", count: width - $0.name.count + 2) + $0.summary
        }
        return """
            quintet \(version): trains ensembles of segmentation networks on whatever machines a lab has,
            and takes their majority vote.

            usage: quintet COMMAND [options]        quintet help COMMAND says more

            \(rows.joined(separator: "\n"))

            A first look:   quintet demo
            Your own CTs:   quintet prepare CTS --out DATA && quintet train --data DATA --run RUN
                            quintet segment --run RUN --in ARCHIVE --out MASKS
            Exit codes:     0 done, 1 failed, 2 wrong usage, 3 done but some inputs were refused,
                            130 stopped on request (Ctrl-C, SIGTERM, SIGHUP)
            QUINTET_KERNELS:  portable, avx2 or avx512 computes with that instruction set, to see that the bytes are
                            the same; direct (no Winograd) and naive (plain loops, slow) judge the numbers
            """
    }

    static func wrap(_ text: String, width: Int) -> [String] {
        var lines: [String] = [""]
        for word in text.split(separator: " ") {
            if lines[lines.count - 1].isEmpty {
                lines[lines.count - 1] = String(word)
            } else if lines[lines.count - 1].count + 1 + word.count <= width {
                lines[lines.count - 1] += " " + word
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }
}
