import Recipes

extension ArchiveStream {
    /// Beside a new answer nothing stays that was said of another CT: what an earlier command was asked for (replicas'
    /// own masks, lesions by number, a DICOM SEG) and this one is not goes, where the CT has changed. An answer to the
    /// same CT keeps it.
    func withoutLeftovers(_ row: AnswerRow) throws -> AnswerRow {
        let left = plan.allFileNames(row.name).filter { row.files?[$0] == nil }
        guard let earlier = journal.rows[row.name], earlier.refused == nil, earlier.content == row.content else {
            try plan.output.remove(left)
            return row
        }
        var kept = row
        for name in left { kept.files?[name] = earlier.files?[name] }
        kept.parts = row.parts ?? earlier.parts
        (kept.objectSeries, kept.identity) = (earlier.objectSeries, earlier.identity)
        return kept
    }
}
