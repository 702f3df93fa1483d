import Foundation
import Imaging
import Numerics
import Platform
import Recipes

/// `--leave-out [NAME=]FILE.csv`: slices with findings, which must not be learnt as normal.
///
/// The table has a header. Needed: a column `slice`, `slice_z` or `z`, counted from 0 as the file stores its slices.
/// Optional: `name` (or `ct`, `case`, `patient`: the CT's; without it the table is for the CT NAME, or for the only one
/// there is) and `finding` (or a word of the recipe's own for it: only rows where it is true count).
struct SliceTable {
    private var slicesByName: [String: Set<Int>] = [:]
    /// Tables without names.
    private var slicesOfAny: Set<Int> = []
    private var hasNamelessTable = false

    /// Of a table: 100,000 slices have less.
    private static let byteCountMax = 4 << 20

    /// - Parameter findingColumns: the recipe's names of a column that says whether a slice has a finding.
    init(_ words: [String], findingColumns: [String] = []) throws {
        for word in words {
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            let path = parts.count == 2 ? parts[1] : word
            guard let bytes = try? FileSystem.read(path, byteCountMax: Self.byteCountMax) else {
                throw UsageError("\(path) can't be read, or has more than \(Self.byteCountMax >> 20) MiB")
            }
            try read(
                String(decoding: bytes, as: UTF8.self), path: path, name: parts.count == 2 ? parts[0] : nil,
                findingColumns: findingColumns)
        }
    }

    private mutating func read(_ text: String, path: String, name: String?, findingColumns: [String]) throws {
        let lines = CSV.rows(text)
        guard let header = lines.first?.map({ $0.lowercased() }),
            let slice = header.firstIndex(where: { ["slice", "slice_z", "z"].contains($0) })
        else {
            throw UsageError("\(path) has no column slice, slice_z or z in its first line")
        }
        let names = header.firstIndex {
            ["name", "volume", "case", "ct", "image", "scan", "series", "patient", "patient_id", "id"].contains($0)
        }
        let finding = header.firstIndex { (findingColumns + ["finding", "findings", "label"]).contains($0) }
        if names != nil, name != nil {
            throw UsageError("\(path) has a column \(header[names ?? 0]) that names its CTs; write --leave-out "
                + "\(path), without a name before it")
        }
        if names == nil, name == nil { hasNamelessTable = true }
        for (number, row) in lines.enumerated().dropFirst() {
            guard row.contains(where: { !$0.isEmpty }) else { continue }
            guard row.count > slice, let z = Int(row[slice]), (0..<100_000).contains(z) else {
                throw UsageError("\(path), line \(number + 1): the slice is no whole number")
            }
            if let finding {
                guard row.count > finding, let hasFinding = Self.truth(row[finding]) else {
                    throw UsageError("\(path), line \(number + 1): \(header[finding]) is neither 0 or 1, true or "
                        + "false, nor yes or no")
                }
                if !hasFinding { continue }
            }
            if let name {
                slicesByName[name, default: []].insert(z)
            } else if let names {
                // Without its name it would be left out of every CT.
                guard row.count > names, !row[names].isEmpty else {
                    throw UsageError("\(path), line \(number + 1): the name of the CT is missing")
                }
                slicesByName[row[names], default: []].insert(z)
            } else {
                slicesOfAny.insert(z)
            }
        }
    }

    /// As people, spreadsheets and pandas write it; nil for everything else.
    private static func truth(_ cell: String) -> Bool? {
        if let number = Double(cell), number.isFinite { return number != 0 }
        switch cell.lowercased() {
        case "true", "t", "yes", "y": return true
        case "false", "f", "no", "n": return false
        default: return nil
        }
    }

    /// - Throws: `UsageError` when a table without names meets more than one CT.
    func check(against archive: Archive) throws {
        guard !hasNamelessTable || archive.items.count == 1 else {
            throw UsageError("a table of slices without a column name is for one CT, and there are "
                + "\(archive.items.count); write --leave-out NAME=FILE.csv")
        }
        let known = Set(archive.items.map(\.name))
        if let stranger = slicesByName.keys.sorted().first(where: { !known.contains($0) }) {
            throw UsageError("the table of slices names \(stranger.printable(most: 80)), and there is no such CT; its "
                + "names are "
                + known.sorted().prefix(5).joined(separator: ", "))
        }
    }

    /// Slices to leave out of a CT, as its file counts them.
    func slices(of name: String) -> Set<Int> { (slicesByName[name] ?? []).union(slicesOfAny) }
}
