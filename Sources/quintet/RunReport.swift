import Foundation
import Recipes

/// A training run's `metrics.csv` and `report.html`.
struct RunReport {
    struct Metric {
        var replica: Int
        var iteration: Int
        var loss: Double
        var dice: Double
        var seconds: Double
    }

    var description: RunFolder.Description
    var metrics: [Metric]
    var dataSet: DataSetManifest

    func csv() -> String {
        (["replica,iteration,loss,dice,seconds"]
            + metrics.map {
                "\($0.replica),\($0.iteration),\($0.loss),\($0.dice)," + String(format: "%.4f", $0.seconds)
            }).joined(separator: "\n") + "\n"
    }

    /// Reads what `csv` wrote; lines that are none are left out.
    static func metrics(csv: String) -> [Metric] {
        csv.split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(separator: ",")
            guard cells.count == 5, let replica = Int(cells[0]), let iteration = Int(cells[1]),
                let loss = Double(cells[2]), let dice = Double(cells[3]), let seconds = Double(cells[4])
            else { return nil }
            return Metric(replica: replica, iteration: iteration, loss: loss, dice: dice, seconds: seconds)
        }
    }

    /// Curves by replica, thinned to what the eye can tell apart.
    func charts() -> [LineChart] {
        let width = max(1, description.configuration.iterations / 150)
        func chart(_ title: String, _ value: (Metric) -> Double) -> LineChart {
            LineChart(title: title, xLabel: "iteration", series: (0..<description.replicaCount).map { replica in
                let points = metrics.filter { $0.replica == replica }.map { (x: Double($0.iteration), y: value($0)) }
                return ("replica \(replica)", LineChart.smoothed(points, width: width))
            })
        }
        return [
            chart("Loss (Dice + cross-entropy)") { $0.loss },
            chart("Dice of healthy bright voxels, on training samples") { $0.dice },
        ]
    }

    func replicaTable() -> TextTable {
        var table = TextTable(header: ["replica", "iterations", "last loss", "last Dice", "compute time"])
        for replica in 0..<description.replicaCount {
            let own = metrics.filter { $0.replica == replica }, tail = own.suffix(20)
            guard !tail.isEmpty else { continue }
            func mean(_ value: (Metric) -> Double) -> Double { tail.map(value).reduce(0, +) / Double(tail.count) }
            table.rows.append([
                "replica-\(replica)", "\(own.count)", String(format: "%.4f", mean { $0.loss }),
                String(format: "%.3f", mean { $0.dice }),
                Console.duration(seconds: own.map(\.seconds).reduce(0, +)),
            ])
        }
        return table
    }

    func calibrationTable() -> TextTable? {
        guard !description.calibration.isEmpty else { return nil }
        var table = TextTable(header: ["threshold", "Dice on generator lesions"])
        table.rows = description.calibration.sorted { (Double($0.key) ?? 0) < (Double($1.key) ?? 0) }
            .map { [$0.key, String(format: "%.3f", $0.value)] }
        return table
    }

    /// What quintet prepare found in the data set; nil when there is nothing to say.
    private func warningTable() -> TextTable? {
        let rows = dataSet.volumes.flatMap { entry in (entry.warnings ?? []).map { [entry.name, $0] } }
        return rows.isEmpty ? nil : TextTable(header: ["CT", "warning"], rows: rows)
    }

    func html() -> String {
        let preset = description.configuration.preset
        var report = HTMLReport(title: "Quintet: training of \(description.replicaCount) replicas")
        report.paragraph("Recipe \(description.recipe), preset \(preset.name), seed \(description.seed), "
            + "\(description.configuration.iterations) iterations of batch \(preset.batch), slabs of "
            + "\(preset.slabDepth)x\(description.configuration.planeHeight)x\(description.configuration.planeWidth) "
            + "voxels of \(preset.spacing.text), \(dataSet.volumes.count) CTs.")
        report.heading("Curves")
        charts().forEach { report.chart($0) }
        report.heading("Replicas")
        report.table(replicaTable())
        if let warnings = warningTable() {
            report.heading("Warnings about the CTs")
            report.table(warnings)
        }
        if let threshold = description.configuration.healthyThreshold {
            report.heading("Threshold")
            report.paragraph("A voxel is healthy where a replica's probability is above \(threshold)"
                + (description.calibration.isEmpty ? " (fixed by the preset)."
                    : ", calibrated without labels on generator lesions in training volumes."))
            if let table = calibrationTable() { report.table(table, emphasised: ["\(threshold)"]) }
        }
        return report.html()
    }
}
