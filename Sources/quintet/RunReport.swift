import Foundation
import Recipes

/// A training run's `metrics.csv` and `report.html`.
struct RunReport {
    struct Metric {
        /// The session's label.
        var step: String
        var replica: Int
        var iteration: Int
        /// By name; "seconds" is every recipe's.
        var values: [String: Double]

        subscript(_ name: String) -> Double { values[name] ?? .nan }
        var order: (String, Int, Int) { (step, replica, iteration) }
    }

    var description: RunFolder.Description
    /// With what training has found.
    var settings: any RunSettings
    var recipe: any RecipePlugIn
    var metrics: [Metric]
    var dataSet: any RecipeDataSet

    private var figures: [TrainingFigure] { recipe.trainingGuide.figures }
    private var sessions: [String] { settings.trainingPlan.sessions }

    /// A column for the step stands first, where there is more than one.
    func csv() -> String {
        let hasSteps = sessions.count > 1, names = figures.map(\.name)
        let head = (hasSteps ? ["step"] : []) + ["replica", "iteration"] + names + ["seconds"]
        let lines = metrics.map { metric in
            ((hasSteps ? [metric.step] : []) + ["\(metric.replica)", "\(metric.iteration)"]
                + names.map { "\(metric[$0])" } + [String(format: "%.4f", metric["seconds"])]).joined(separator: ",")
        }
        return ([head.joined(separator: ",")] + lines).joined(separator: "\n") + "\n"
    }

    /// Reads what `csv` wrote; lines that are none are left out.
    static func metrics(csv: String, of settings: any RunSettings, _ recipe: any RecipePlugIn) -> [Metric] {
        let lines = csv.split(separator: "\n").map { $0.split(separator: ",").map(String.init) }
        guard let head = lines.first else { return [] }
        return lines.dropFirst().compactMap { cells in
            guard cells.count == head.count else { return nil }
            let cell = Dictionary(zip(head, cells), uniquingKeysWith: { first, _ in first })
            let numbers = cell.compactMapValues(Double.init)
            guard let replica = cell["replica"].flatMap({ Int($0) }), numbers["seconds"] != nil,
                let iteration = cell["iteration"].flatMap({ Int($0) }),
                recipe.trainingGuide.figures.allSatisfy({ numbers[$0.name] != nil })
            else { return nil }
            return Metric(
                step: cell["step"] ?? settings.trainingPlan.sessions[0], replica: replica, iteration: iteration,
                values: numbers)
        }
    }

    /// Not every session of a recipe gives all of its figures.
    private func has(_ figure: TrainingFigure, in session: String) -> Bool {
        sessions.count == 1 || metrics.contains { $0.step == session && !$0[figure.name].isNaN }
    }

    /// Curves by replica, thinned to what the eye can tell apart.
    func charts() -> [LineChart] {
        let width = max(1, settings.iterationCount / 150)
        return sessions.flatMap { session in
            figures.filter { has($0, in: session) }.map { figure in
                let title = figure.title + (sessions.count > 1 ? " (\(session))" : "")
                let series = (0..<description.replicaCount).map { replica in
                    let points = metrics.filter { $0.step == session && $0.replica == replica }
                        .map { (x: Double($0.iteration), y: $0[figure.name]) }
                    return (name: "replica \(replica)", points: LineChart.smoothed(points, width: width))
                }
                return LineChart(title: title, xLabel: "iteration", series: series)
            }
        }
    }

    func replicaTable() -> TextTable {
        var table = TextTable(
            header: ["replica", "iterations"] + figures.map { "last \($0.shortTitle)" } + ["compute time"])
        for session in sessions {
            let stem = recipe.trainingGuide.weights.first { $0.step == session }?.stem ?? "replica"
            for replica in 0..<description.replicaCount {
                let own = metrics.filter { $0.step == session && $0.replica == replica }, tail = own.suffix(20)
                guard !tail.isEmpty else { continue }
                let means = figures.map { figure in
                    has(figure, in: session)
                        ? Text.fixed(tail.map { $0[figure.name] }.reduce(0, +) / Double(tail.count), figure.digits)
                        : "-"
                }
                table.rows.append(
                    ["\(stem)-\(replica)", "\(own.count)"] + means
                        + [Console.duration(seconds: own.map { $0["seconds"] }.reduce(0, +))])
            }
        }
        return table
    }

    /// What quintet prepare found in the data set; nil when there is nothing to say.
    private func warningTable() -> TextTable? {
        let rows = dataSet.volumeWarnings.map { [$0.volume, $0.warning] }
        return rows.isEmpty ? nil : TextTable(header: ["CT", "warning"], rows: rows)
    }

    /// What the recipe has to say behind the replicas.
    var sections: [ReportSection] { settings.reportSections(calibration: description.calibration) }

    func html() -> String {
        var report = HTMLReport(title: "Quintet: training of \(description.replicaCount) replicas")
        report.paragraph("Recipe \(description.recipe), "
            + settings.reportText(seed: description.seed, volumeCount: dataSet.volumeNames.count))
        report.heading("Curves")
        charts().forEach { report.chart($0) }
        report.heading("Replicas")
        report.table(replicaTable())
        if let warnings = warningTable() {
            report.heading("Warnings about the CTs")
            report.table(warnings)
        }
        for section in sections {
            report.heading(section.heading)
            if let paragraph = section.paragraph { report.paragraph(paragraph) }
            report.table(of: section)
        }
        return report.html()
    }
}

extension HTMLReport {
    /// nothing where it has none.
    mutating func table(of section: ReportSection) {
        guard let rows = section.table, let header = rows.first else { return }
        table(
            TextTable(header: header, rows: Array(rows.dropFirst())),
            emphasised: Set(section.emphasised.map { [$0] } ?? []))
    }
}
