import Foundation
import Platform
import Recipes

/// `quintet dicom`
enum DicomCommand: Command {
    static let syntax = CommandSyntax(
        "dicom", "List the DICOM series in a folder, and say which are CTs that can be taken.",
        positional: "list DIR...",
        options: [Option("--json", nil, "every series as JSON on stdout, UIDs included")],
        details: """
            Series are found by their SeriesInstanceUID, in files of any name and however deep below DIR. NAME is what
            `prepare DIR` and `segment --in DIR` call a CT: its folder below DIR, with a part of the UID's digest where
            one folder holds several. A CT that makes no volume (missing, doubled, uneven or tilted slices, mixed sizes,
            no HU) is named with the reason and the file, and the exit code is then 3.

            Read are files in little and big endian, deflated, and compressed by JPEG lossless, JPEG-LS or RLE.
            quintet-dicom reads them: a program of its own, which can write nothing and reach nothing; \
            \(DicomProgram.remedy). \(DicomProgram.variable) names it where it lies elsewhere.

            example: quintet dicom list export
            """)

    private struct Described: Codable {
        var name: String?
        var path: String
        var uid: String
        var modality: String
        var isCT: Bool
        var what: String?
        var fileCount: Int
        var slices: Int
        var columns: Int
        var rows: Int
        var spacingMM: [Double]
        var kernel: String
        var transferSyntaxes: [String]
        var warnings: [String]
        var refusal: String?
    }

    static func run(_ arguments: Arguments) throws -> ExitCode {
        guard arguments.positional.first == "list", arguments.positional.count > 1 else {
            throw UsageError("say what to list: quintet dicom list DIR")
        }
        guard DicomProgram.path != nil else {
            throw CommandError("\(DicomProgram.name), which reads DICOM, is not there: \(DicomProgram.remedy) DIR")
        }
        var described: [Described] = [], refused: [String] = []
        for path in arguments.positional.dropFirst() {
            guard FileSystem.isFolder(path) else { throw UsageError("\(path) is no folder") }
            let root = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
            var finder = DicomFinder(root: root)
            for file in try FolderWalk(path, isStopped: { StopSignal.isRequested }).files { finder.look(at: file) }
            let found = try finder.find()
            let names = Dictionary(found.cts.map { ($0.series.uid, $0.name) }, uniquingKeysWith: { first, _ in first })
            described += found.all.map { series in
                Described(
                    name: names[series.uid], path: series.folder.isEmpty ? root : root + "/" + series.folder,
                    uid: series.uid, modality: series.modality, isCT: series.isCT,
                    what: series.isCT ? nil : series.what, fileCount: series.fileCount, slices: series.files.count,
                    columns: series.columns, rows: series.rows, spacingMM: series.spacingMM, kernel: series.kernel,
                    transferSyntaxes: series.transferSyntaxes, warnings: series.warnings, refusal: series.refusal)
            }
            refused += found.refused.map(\.message)
        }
        tell(described, refused, isJSON: arguments.has("--json"))
        return refused.isEmpty ? .done : .doneWithRefusals
    }

    private static func tell(_ described: [Described], _ refused: [String], isJSON: Bool) {
        if isJSON {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            Console.out(String(decoding: (try? encoder.encode(described)) ?? Data(), as: UTF8.self))
        } else if !described.isEmpty {
            func millimetres(_ value: Double) -> String { value == 0 ? "-" : String(format: "%.4g", value) }
            let rows = described.sorted { ($0.name ?? "~", $0.path) < ($1.name ?? "~", $1.path) }.map { one in
                [
                    one.name ?? one.path, one.modality, "\(one.slices)", "\(one.columns) x \(one.rows)",
                    one.spacingMM.map(millimetres).joined(separator: " x "), one.kernel,
                    one.name != nil ? "taken" : one.isCT ? "refused" : one.what ?? "no CT",
                ]
            }
            let header = ["series", "modality", "slices", "voxels", "mm", "kernel", ""]
            Console.out(TextTable(header: header, rows: rows).text())
        }
        if described.isEmpty, refused.isEmpty { Console.out("there is no DICOM") }
        for one in described { for warning in one.warnings { Console.error("warning: \(one.path): \(warning)") } }
        for message in refused { Console.error("refused: \(message)") }
    }
}
