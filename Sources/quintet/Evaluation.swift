import Foundation
import Imaging
import Numerics
import Recipes
import VotingAggregator

/// Answers against the truth: one row for each kind of answer, mean and standard deviation over the volumes (A6).
struct Evaluation {
    struct Row: Encodable {
        var answer: String
        /// Of the answer, and of the other masks that are scored, in the recipe's order.
        var scores: Summaries
        var specificity: ScoreSummary?
        /// Whether slices with findings are told from slices without.
        var sliceAUROC: ScoreSummary?
        var diceByVolume: [String: Double]
        var others: [(mask: AnswerMask, scores: Summaries)]
        /// What qualifies the figures of the whole table; absent when there is nothing to say.
        var warnings: [String]?

        struct Summaries: Encodable {
            var dice: ScoreSummary?
            var precision: ScoreSummary?
            var sensitivity: ScoreSummary?

            init(_ scores: [SegmentationScores]) {
                dice = ScoreSummary(scores.map(\.dice))
                precision = ScoreSummary(scores.map(\.precision))
                sensitivity = ScoreSummary(scores.map(\.sensitivity))
            }
        }

        func encode(to encoder: any Encoder) throws {
            var object: [String: JSONValue] = ["answer": .text(answer)]
            if case .object(let own) = JSONValue(scores) { object.merge(own) { first, _ in first } }
            object["specificity"] = specificity.map { JSONValue($0) }
            object["sliceAUROC"] = sliceAUROC.map { JSONValue($0) }
            object["diceByVolume"] = JSONValue(diceByVolume)
            for other in others { object[other.mask.scoreKey ?? other.mask.role] = JSONValue(other.scores) }
            object["warnings"] = warnings.map { JSONValue($0) }
            try JSONValue.object(object).encode(to: encoder)
        }
    }

    private(set) var names: [String] = []
    /// What qualifies the figures, each once.
    private(set) var warnings: [String] = []
    private let main: AnswerMask
    private let others: [AnswerMask]
    /// Of the answers, and of their other masks by role.
    private var scores: [String: [(volume: String, scores: SegmentationScores, sliceAUROC: Double?)]] = [:]
    private var otherScores: [String: [String: [SegmentationScores]]] = [:]
    private var order: [String] = []

    /// - Parameter guide: of the recipe that has answered.
    init(_ guide: AnswerGuide) {
        (main, others) = (guide.masks[0], guide.masks.dropFirst().filter { $0.scoreKey != nil })
    }

    /// - Parameters:
    ///   - masks: by role; the answer itself among them.
    ///   - region: where findings can be.
    ///   - sliceAxis: of the masks, from one axial slice to the next: 0 x, 1 y, 2 z.
    mutating func add(
        answer: String, volume: String, masks: [String: Mask], truth: Mask, region: Mask?, sliceAxis: Int
    ) throws {
        let truthBits = BitMask(truth), regionBits = region.map { BitMask($0) }
        func scores(_ mask: Mask) throws -> SegmentationScores {
            // Specificity within the region: outside it, being right is no merit.
            var scores = SegmentationScores(try ConfusionCounts(answer: BitMask(mask), truth: truthBits))
            scores.specificity = try regionBits.flatMap {
                SegmentationScores(
                    try ConfusionCounts(answer: BitMask(mask), truth: truthBits, within: $0)).specificity
            }
            return scores
        }
        guard let mask = masks[main.role] else { return }
        if self.scores[answer] == nil { order.append(answer) }
        let sliceAUROC = region.flatMap {
            SliceScores.areaUnderCurve(answer: mask, truth: truth, within: $0, axis: sliceAxis)
        }
        self.scores[answer, default: []].append((volume, try scores(mask), sliceAUROC))
        for other in others {
            guard let mask = masks[other.role] else { continue }
            otherScores[answer, default: [:]][other.role, default: []].append(try scores(mask))
        }
        if !names.contains(volume) { names.append(volume) }
    }

    var rows: [Row] {
        order.map { answer in
            let own = scores[answer] ?? []
            return Row(
                answer: answer, scores: Row.Summaries(own.map(\.scores)),
                specificity: ScoreSummary(own.map(\.scores.specificity)),
                sliceAUROC: ScoreSummary(own.map(\.sliceAUROC)),
                diceByVolume: Dictionary(
                    own.compactMap { one in one.scores.dice.map { (one.volume, $0) } },
                    uniquingKeysWith: { $1 }),
                others: others.compactMap { mask in
                    otherScores[answer]?[mask.role].map { (mask, Row.Summaries($0)) }
                },
                warnings: warnings.isEmpty ? nil : warnings)
        }
    }

    func meanDice(_ answer: String) -> Double? { rows.first { $0.answer == answer }?.scores.dice?.mean }

    mutating func warn(_ warning: String) {
        if !warnings.contains(warning) { warnings.append(warning) }
    }

    /// Rows over fewer volumes than others are no comparison.
    mutating func warnOfMissingAnswers() {
        for answer in order {
            let missing = names.filter { name in !(scores[answer] ?? []).contains { $0.volume == name } }
            guard !missing.isEmpty else { continue }
            warn("the row \(answer) lacks \(missing.count) of \(names.count) volumes, which have no such answer: "
                + missing.prefix(5).joined(separator: ", ") + (missing.count > 5 ? ", ..." : ""))
        }
    }

    /// Percent, mean ± standard deviation over the volumes; their number stands in the header, where it is another than
    /// in the column before, or in the cells where they differ.
    func table() -> TextTable {
        let rows = rows
        func columns(
            _ dice: String, _ scores: @escaping (Row) -> Row.Summaries?
        ) -> [(title: String, value: (Row) -> ScoreSummary?)] {
            [
                (dice, { scores($0)?.dice }), ("precision", { scores($0)?.precision }),
                ("sensitivity", { scores($0)?.sensitivity }),
            ]
        }
        let ofOthers = others.flatMap { mask in
            columns("Dice \(mask.scoreTitle ?? mask.role)") { row in
                row.others.first { $0.mask.role == mask.role }?.scores
            }
        }
        let all = columns("Dice", \.scores) + [("slice AUROC", \.sliceAUROC)] + ofOthers
        var table = TextTable(header: ["answer"], rows: rows.map { [$0.answer] })
        var shownCount: Int?
        for column in all {
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
