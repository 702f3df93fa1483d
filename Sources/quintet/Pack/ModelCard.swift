import Numerics
import Platform
import Recipes

/// What a run's networks are, learnt from, reach and are not for: a page of Markdown, made of the run's own files and
/// of what its maker adds.
struct ModelCard {
    let run: RunFolder
    /// What the weights may be used for; nil where nobody said.
    let licence: String?
    /// The maker's own words about the data.
    let about: String?
    /// Rows as `quintet evaluate --json` prints them; nil where the answers were compared with nothing.
    let evaluation: [JSONValue]?

    func text() throws -> String {
        let description = run.description
        var setting = run.settings.reportText(seed: description.seed, volumeCount: description.volumeCount ?? 0)
        // Earlier programs did not note how many.
        if description.volumeCount == nil { setting = setting.replacing(", 0 CTs.", with: ".") }
        let head = """
            # A run of quintet: \(description.recipe)

            Replicas: \(description.replicaCount) (seed \(description.seed)); their majority answers.
            \(setting)
            Written by quintet \(description.version); run.json has the digest \(try run.digest()).
            """
        return ([head, data, try figures(), limits, licenceText, use, try files()].joined(separator: "\n\n")) + "\n"
    }

    private var data: String {
        let count = run.description.volumeCount.map { "\($0) CTs. " } ?? "How many CTs was not noted. "
        return """
            ## Data

            \(count)None of them is in this file, nor is a name of one. The digest of their dataset.json is
            \(run.description.dataSetDigest).

            \(about.map { $0.printableLines() } ?? "Whose CTs they are, and of which scanners, its maker has not said.")
            """
    }

    // MARK: Figures

    private func figures() throws -> String {
        var parts = ["## Figures"]
        if let evaluation {
            parts.append("Answers against what people have drawn, mean ± standard deviation over so many volumes:")
            let header = ["answer", "Dice", "precision", "sensitivity", "n"]
            parts.append(Self.table(try evaluation.map(row), header: header))
        } else {
            parts.append("No answer was compared with what people have drawn, as far as this file knows "
                + "(`quintet evaluate`, `quintet pack --evaluation`).")
        }
        for section in run.settings.reportSections(calibration: run.description.calibration) {
            parts.append("### \(section.heading)")
            if let paragraph = section.paragraph { parts.append(paragraph) }
            if let rows = section.table, let header = rows.first {
                parts.append(Self.table(Array(rows.dropFirst()), header: header))
            }
        }
        if let training = try training() { parts += ["### Training, mean of the last 20 iterations", training] }
        return parts.joined(separator: "\n\n")
    }

    private func row(_ value: JSONValue) throws -> [String] {
        guard case .object(let row) = value, case .text(let answer)? = row["answer"] else {
            throw CommandError("--evaluation takes what quintet evaluate --json prints")
        }
        func summary(_ name: String) -> [String: JSONValue] {
            if case .object(let summary)? = row[name] { summary } else { [:] }
        }
        func cell(_ name: String) -> String {
            let summary = summary(name)
            guard let mean = summary["mean"]?.double, let spread = summary["standardDeviation"]?.double else {
                return "-"
            }
            return "\(Text.fixed(100 * mean, 1)) ± \(Text.fixed(100 * spread, 1)) %"
        }
        let count = summary("dice")["count"]?.double.flatMap { Int(exactly: $0) }
        return [answer, cell("dice"), cell("precision"), cell("sensitivity"), count.map(String.init) ?? "-"]
    }

    private func training() throws -> String? {
        let path = "\(run.path)/\(RunPack.metricsName)"
        guard FileSystem.exists(path) else { return nil }
        let text = String(decoding: try FileSystem.read(path, byteCountMax: 1 << 30), as: UTF8.self)
        let metrics = RunReport.metrics(csv: text, of: run.settings, run.recipe)
        let figures = run.recipe.trainingGuide.figures
        var rows: [[String]] = []
        for weights in run.recipe.trainingGuide.weights {
            for replica in 0..<run.description.replicaCount {
                let own = metrics.filter { $0.step == weights.step && $0.replica == replica }, tail = own.suffix(20)
                guard !tail.isEmpty else { continue }
                let means = figures.map { figure in
                    Text.fixed(tail.map { $0[figure.name] }.reduce(0, +) / Double(tail.count), figure.digits)
                }
                rows.append(["\(weights.stem)-\(replica)", "\(own.count)"] + means)
            }
        }
        return rows.isEmpty ? nil
            : Self.table(rows, header: ["replica", "iterations"] + figures.map { "\($0.title)" })
    }

    // MARK: The rest

    private var limits: String {
        let all = [
            "A tool of research and no medical device: no answer of it decides about a patient.",
            "Figures hold for data like those that they were measured on. On other scanners, protocols or patients "
                + "nothing is known before somebody compares.",
        ] + run.recipe.answerGuide.limits
        return (["## Limits", ""] + all.map { "- \($0)" }).joined(separator: "\n")
    }

    private var licenceText: String {
        """
        ## Licence

        \(licence.map { $0.printable() } ?? "None was given: ask whoever gave you this file before you use it.")
        The program is Apache-2.0.
        """
    }

    private var use: String {
        """
        ## Use

            quintet unpack FILE --out run
            quintet segment --run run --in archive --out masks

        The weights are safetensors, whose metadata say what the networks are (docs/FORMATS.md); `quintet export --onnx`
        writes them for other programs. What is computed before and behind them is in docs/VOXEL.md.
        """
    }

    private func files() throws -> String {
        "## Weights\n\n" + Self.table(
            run.replicas.map { [Archive.fileName($0.path), $0.digest ?? ""] }, header: ["file", "SHA-256"])
    }

    private static func table(_ rows: [[String]], header: [String]) -> String {
        ([header, header.map { _ in "---" }] + rows).map { cells in
            "| " + cells.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
        }.joined(separator: "\n")
    }
}
