import Foundation
import Platform
import Recipes

/// Which mask belongs to which CT: by a table (`--pairs`), or by names, and never by a guess.
///
/// By names, in this order; where one step finds anything, it decides:
/// 1. the same path below both folders: patA/ct and patA/ct
/// 2. a flat folder of masks whose names are the paths: patA/ct and patA_ct
/// 3. the same last part, where one of the two folders is flat: patA/scan7 and scan7
/// 4. each of these without regard to case and to nnU-Net's channel `_0000`
///
/// A step that finds more than one mask for a CT, or more than one CT for a mask, refuses: adding a patient to an
/// archive must never give one patient's mask to another.
package struct MaskPairing {
    private enum Kind {
        case file(String)
        case table(PairTable)
        case folder(path: String, notes: [String])
    }

    private let kind: Kind
    /// For messages: "mask" or "answer".
    private let wanted: String
    private let archive: Archive
    /// Where there is none.
    private let canBeMade: Bool
    /// By step and key: the masks, and how many CTs have that key.
    private var masks: [[String: [Archive.Item]]] = []
    private var ctCounts: [[String: Int]] = []
    /// By folder: a table names it once.
    private let seriesCounts: [String: Int]

    private static let steps: [(key: @Sendable (String) -> String, needsFlat: Bool)] = [
        ({ $0 }, false), ({ $0.replacingOccurrences(of: "/", with: "_") }, true), ({ lastPart($0) }, true),
        (plain, false), ({ plain($0).replacingOccurrences(of: "/", with: "_") }, true), ({ plain(lastPart($0)) }, true),
    ]

    /// - Parameter path: one mask for one CT, or a folder of masks.
    /// - Throws: `UsageError`.
    package init(_ path: String, archive: Archive, canBeMade: Bool = true) throws {
        guard FileSystem.exists(path) else { throw UsageError("--masks \(path) does not exist") }
        guard FileSystem.isFolder(path) else {
            guard archive.items.count + archive.refused.count == 1 else {
                throw UsageError("--masks is one file, and there are \(archive.items.count) CTs; give a folder of "
                    + "masks that are named like the CTs, or a table of both (--pairs)")
            }
            self.init(.file(path), archive, "mask", canBeMade)
            return
        }
        self.init(
            masks: try Archive([path], purpose: .masks), in: path, archive: archive, canBeMade: canBeMade)
    }

    /// - Parameter masks: those of a folder; for `archive`, what each of its items' own is.
    init(
        masks found: Archive, in path: String, archive: Archive, wanted: String = "mask", canBeMade: Bool = true
    ) {
        self.init(.folder(path: path, notes: found.refused.map(\.message)), archive, wanted, canBeMade)
        for step in Self.steps {
            masks.append(Dictionary(grouping: found.items) { step.key($0.name) })
            ctCounts.append(Dictionary(grouping: archive.items) { step.key($0.name) }.mapValues(\.count))
        }
    }

    /// - Parameter table: every CT with its mask; those with none have it made.
    package init(_ table: PairTable, archive: Archive, canBeMade: Bool = true) {
        self.init(.table(table), archive, "mask", canBeMade)
    }

    private init(_ kind: Kind, _ archive: Archive, _ wanted: String, _ canBeMade: Bool) {
        (self.kind, self.archive, self.wanted, self.canBeMade) = (kind, archive, wanted, canBeMade)
        seriesCounts = Dictionary(archive.items.filter { $0.series != nil }.map { ($0.path, 1) }, uniquingKeysWith: +)
    }

    /// nil: the table leaves it to be made.
    /// - Throws: `Archive.Refusal` naming both.
    package func mask(for item: Archive.Item) throws -> String? {
        let path: String
        switch kind {
        case .file(let file): path = file
        case .table(let table):
            guard seriesCounts[item.path] ?? 1 == 1 else {
                throw Archive.Refusal("\(item.path): holds \(seriesCounts[item.path]!) DICOM series, and a row of "
                    + "\(table.path) is one CT's; put each into a folder of its own")
            }
            guard let row = FileIdentity(item.path).flatMap({ table.maskByCT[$0] }) else {
                throw Archive.Refusal("\(item.path): \(table.path) has no row for it; add one"
                    + (canBeMade ? ", with an empty mask where it is to be made" : ""))
            }
            guard let found = row else {
                if canBeMade { return nil }
                throw Archive.Refusal("\(item.path): \(table.path) names no mask for it, and none can be made; add it")
            }
            path = found
        case .folder(let folder, let notes): path = try mask(named: item, in: folder, notes)
        }
        guard let one = FileIdentity(path), one != FileIdentity(item.path) || wanted == "answer" else {
            throw Archive.Refusal("\(item.path): \(path), which would be its mask, "
                + (FileSystem.exists(path) ? "is the CT itself" : "does not exist") + "; name the folder of the masks")
        }
        return path
    }

    private func mask(named item: Archive.Item, in folder: String, _ notes: [String]) throws -> String {
        for (number, step) in Self.steps.enumerated() {
            let key = step.key(item.name)
            let found = (masks[number][key] ?? []).filter { mask in
                !step.needsFlat || !mask.name.contains("/") || !item.name.contains("/")
            }
            guard !found.isEmpty else { continue }
            guard found.count == 1, ctCounts[number][key] == 1 else {
                let others = archive.items.filter { step.key($0.name) == key && $0.name != item.name }.map(\.path)
                throw Archive.Refusal("\(item.path): which \(wanted) is its own is not certain: "
                    + (found.map(\.path)).prefix(4).joined(separator: ", ")
                    + (others.isEmpty ? "" : " could also be that of \(others.prefix(3).joined(separator: ", "))")
                    + "; give both the same paths" + (wanted == "mask" ? ", or a table of both (--pairs)" : ""))
            }
            return found[0].path
        }
        throw Archive.Refusal("\(item.path): there is no \(wanted) \(item.name).nii.gz in \(folder); \(remedy)"
            + notes.prefix(2).map { "; " + $0 }.joined())
    }

    private var remedy: String {
        wanted == "mask"
            ? (canBeMade
                ? "add it, give a table of CTs and masks (--pairs), or leave --masks out to have all masks made"
                : "add it, or give a table of CTs and masks (--pairs)")
            : "segment its CT, or give the truth the CT's path"
    }

    private static func lastPart(_ name: String) -> String { Archive.fileName(name) }

    private static func plain(_ name: String) -> String {
        let lowered = name.lowercased()
        return lowered.hasSuffix("_0000") ? String(lowered.dropLast(5)) : lowered
    }
}

/// `--pairs FILE.csv`: a CT and its mask in every row, for any layout of folders. The first line names the columns,
/// `ct` (or `image`) and `mask` (or `label`); paths are relative to the table's folder. A row without a mask has it
/// made.
package struct PairTable {
    let path: String
    let cts: [String]
    /// nil where the mask is to be made.
    let maskByCT: [FileIdentity: String?]

    private static let byteCountMax = 64 << 20

    /// - Throws: `UsageError` naming the line.
    package init(_ path: String) throws {
        guard let bytes = try? FileSystem.read(path, byteCountMax: Self.byteCountMax) else {
            throw UsageError("--pairs \(path) can't be read, or has more than \(Self.byteCountMax >> 20) MiB")
        }
        let rows = CSV.rows(String(decoding: bytes, as: UTF8.self))
        let header = (rows.first ?? []).map { $0.lowercased() }
        guard let ct = header.firstIndex(where: { ["ct", "image"].contains($0) }),
            let mask = header.firstIndex(where: { ["mask", "label"].contains($0) })
        else {
            let hint = header.count == 1 && header[0].contains(";")
                ? "; its cells have semicolons between them: save it with commas" : ""
            throw UsageError("--pairs \(path): its first line names no columns ct and mask\(hint)")
        }
        let folder = FileSystem.folder(of: path)
        func absolute(_ cell: String) -> String { cell.hasPrefix("/") || folder == "." ? cell : folder + "/" + cell }
        var cts: [String] = [], masks: [FileIdentity: String?] = [:]
        for (number, row) in rows.enumerated().dropFirst() where row.contains(where: { !$0.isEmpty }) {
            guard row.count > ct, !row[ct].isEmpty else {
                throw UsageError("--pairs \(path), line \(number + 1): the CT is missing")
            }
            let ctPath = absolute(row[ct])
            guard let identity = FileIdentity(ctPath) else {
                throw UsageError("--pairs \(path), line \(number + 1): \(ctPath) does not exist")
            }
            guard masks[identity] == nil else {
                throw UsageError("--pairs \(path), line \(number + 1): \(ctPath) has a row already")
            }
            cts.append(ctPath)
            masks[identity] = .some(row.count > mask && !row[mask].isEmpty ? absolute(row[mask]) : nil)
        }
        (self.path, self.cts, self.maskByCT) = (path, cts, masks)
    }

    /// The CTs of the table, called after their paths below its folder.
    package func archive() throws -> Archive { try Archive(cts, below: FileSystem.folder(of: path)) }
}
