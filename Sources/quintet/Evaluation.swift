import Foundation
import Imaging
import Numerics
import Recipes
import VotingAggregator

/// Answers against the truth: one row for each kind of answer, mean and standard deviation over the volumes (A6).
struct Evaluation {
    struct Row: Encodable {
        var answer: String
        var dice: ScoreSummary?
        var precision: ScoreSummary?
        var sensitivity: ScoreSummary?
        var specificity: ScoreSummary?
        var diceByVolume: [String: Double]
        var withoutGrowing: Plain?
        /// What qualifies the figures of the whole table; absent when there is nothing to say.
        var warnings: [String]?

        struct Plain: Encodable {
            var dice: ScoreSummary?
            var precision: ScoreSummary?
            var sensitivity: ScoreSummary?
        }
    }

    private(set) var names: [String] = []
    /// What qualifies the figures, each once.
    private(set) var warnings: [String] = []
    /// Scores by answer, with growing and without.
    private var grown: [String: [(volume: String, scores: SegmentationScores)]] = [:]
    private var plain: [String: [SegmentationScores]] = [:]
    private var order: [String] = []

    mutating func add(
        answer: String, volume: String, grown mask: Mask, withoutGrowing: Mask?, truth: Mask, lung: Mask?
    ) throws {
        let truthBits = BitMask(truth), region = lung.map { BitMask($0) }
        func scores(_ mask: Mask) throws -> SegmentationScores {
            // Specificity within the lung: outside it, being right is no merit.
            var scores = SegmentationScores(try ConfusionCounts(answer: BitMask(mask), truth: truthBits))
            scores.specificity = try region.flatMap {
                SegmentationScores(
                    try ConfusionCounts(answer: BitMask(mask), truth: truthBits, within: $0)).specificity
            }
            return scores
        }
        if grown[answer] == nil { order.append(answer) }
        grown[answer, default: []].append((volume, try scores(mask)))
        if let withoutGrowing { plain[answer, default: []].append(try scores(withoutGrowing)) }
        if !names.contains(volume) { names.append(volume) }
    }

    var rows: [Row] {
        order.map { answer in
            let with = grown[answer] ?? [], without = plain[answer] ?? []
            func summary(_ value: (SegmentationScores) -> Double?) -> ScoreSummary? {
                ScoreSummary(with.map { value($0.scores) })
            }
            return Row(
                answer: answer, dice: summary(\.dice), precision: summary(\.precision),
                sensitivity: summary(\.sensitivity), specificity: summary(\.specificity),
                diceByVolume: Dictionary(
                    with.compactMap { volume, scores in scores.dice.map { (volume, $0) } },
                    uniquingKeysWith: { $1 }),
                withoutGrowing: without.isEmpty ? nil : Row.Plain(
                    dice: ScoreSummary(without.map(\.dice)), precision: ScoreSummary(without.map(\.precision)),
                    sensitivity: ScoreSummary(without.map(\.sensitivity))),
                warnings: warnings.isEmpty ? nil : warnings)
        }
    }

    func meanDice(_ answer: String) -> Double? { rows.first { $0.answer == answer }?.dice?.mean }

    mutating func warn(_ warning: String) {
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    /// Rows over fewer volumes than others are no comparison.
    mutating func warnOfMissingAnswers() {
        for answer in order {
            let missing = names.filter { name in !(grown[answer] ?? []).contains { $0.volume == name } }
            guard !missing.isEmpty else { continue }
            warn("the row \(answer) lacks \(missing.count) of \(names.count) volumes, which have no such answer: "
                + missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", ..." : ""))
        }
    }

    /// Percent, mean ± standard deviation over the volumes; their number stands in the header, where it is another than
    /// in the column before, or in the cells where they differ.
    func table() -> TextTable {
        let rows = rows
        let columns: [(title: String, value: (Row) -> ScoreSummary?)] = [
            ("Dice", \.dice), ("precision", \.precision), ("sensitivity", \.sensitivity),
            ("Dice not grown", { $0.withoutGrowing?.dice }), ("precision", { $0.withoutGrowing?.precision }),
            ("sensitivity", { $0.withoutGrowing?.sensitivity }),
        ]
        var table = TextTable(header: ["answer"], rows: rows.map { [$0.answer] })
        var shownCount: Int?
        for column in columns {
            let summaries = rows.map(column.value), counts = Set(summaries.compactMap { $0?.count })
            let count = counts.count == 1 ? counts.first : nil
            let isNew = count != shownCount
            shownCount = count
            table.header.append("\(column.title) %" + (isNew ? count.map { " (n = \($0))" } ?? "" : ""))
            for (row, summary) in summaries.enumerated() {
                let cell = summary.map {
                    String(format: "%.1f ± %.1f", 100 * $0.mean, 100 * $0.standardDeviation)
                        + (count == nil ? " (n = \($0.count))" : "")
                }
                table.rows[row].append(cell ?? "-")
            }
        }
        return table
    }
}
