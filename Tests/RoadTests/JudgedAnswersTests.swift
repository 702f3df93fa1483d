import Foundation
import Imaging
import Platform
import Recipes
import TestSupport
import Testing

/// The commands, as a user gives them, on the judge's small CTs and with the judge's replicas: every mask and every
/// figure is what an independent program says of the same files (`Tests/Judge`, docs/VOXEL.md).
@Suite struct JudgedAnswersTests {
    /// The cases as an archive: cts/, lungs/, truth/, and run/ with the judge's replicas.
    private static func road() throws -> Road {
        let road = try Road()
        for folder in ["cts", "lungs", "truth", "run"] {
            try FileManager.default.createDirectory(
                atPath: road.path(folder), withIntermediateDirectories: true)
        }
        for name in JudgeGoldens.cases {
            let golden = JudgeGoldens(name)
            for (file, folder) in [("ct", "cts"), ("lung", "lungs"), ("truth", "truth")] {
                let source = try golden.path(beginning: "\(file).")
                let ending = source.hasSuffix(".mha") ? ".mha" : ".nii.gz"
                try FileManager.default.copyItem(atPath: source, toPath: road.path("\(folder)/\(name)\(ending)"))
            }
        }
        try run(in: road)
        return road
    }

    /// A finished run, as train would have left it.
    private static func run(in road: Road) throws {
        var preset = Preset.demo
        preset.spacing = Spacing(zMM: 6, yMM: 5, xMM: 5)
        (preset.planeHeight, preset.planeWidth, preset.slabDepth) = (32, 48, 8)
        (preset.channels, preset.strides, preset.residualUnits) = ([4, 8], [2], 1)
        let configuration = LungRunConfiguration(
            preset: preset, planeHeight: 32, planeWidth: 48, iterations: 1, healthyThreshold: 0.5)
        var digests: [String] = []
        for replica in 0..<3 {
            let name = "replica-\(replica).safetensors", path = JudgeGoldens().path(name)
            try FileManager.default.copyItem(atPath: path, toPath: road.path("run/\(name)"))
            digests.append("\"\(Hexadecimal.text(try SHA256.digest(ofFile: path)))\"")
        }
        let description = """
            {"format": 1, "recipe": "lung-normnet", "version": "0", "seed": 1, "replicaCount": 3, "calibration": {},
             "dataSetDigest": "", "replicaDigests": [\(digests.joined(separator: ","))],
             "configuration": \(configuration.json())}
            """
        try Data(description.utf8).write(to: URL(fileURLWithPath: road.path("run/run.json")))
    }

    private static func expect(_ path: String, toHoldTheVoxelsOf golden: String, _ what: String) throws {
        let found = try ImageFile.read(path: path), expected = try ImageFile.read(path: golden)
        #expect(found.source.geometry == expected.source.geometry, "\(what)")
        let apart = zip(found.volume.voxels, expected.volume.voxels).count { $0 != $1 }
        #expect(found.volume.shape == expected.volume.shape && apart == 0, "\(what): \(apart) voxels differ")
    }

    @Test func segmentAndEvaluateSayWhatTheJudgeSays() throws {
        let road = try Self.road()
        defer { road.remove() }
        try road.succeed(
            "segment", "--run", "run", "--in", "cts", "--masks", "lungs", "--out", "masks", "--members", "--quiet")
        for name in JudgeGoldens.cases {
            let golden = JudgeGoldens(name)
            for (folder, file) in [("", "lesions"), ("without-growing/", "without-growing")] {
                try Self.expect(
                    road.path("masks/\(folder)\(name).nii.gz"), toHoldTheVoxelsOf: golden.path("\(file).nii.gz"),
                    "\(name), \(file)")
            }
        }
        try checkTable(String(decoding: #require(road.bytes("masks/archive.csv")), as: UTF8.self))

        let words = ["evaluate", "--pred", "masks", "--truth", "truth", "--run", "run", "--ct", "cts"]
        let json = try road.start(words + ["--json"]).wait(), table = try road.start(words).wait()
        #expect(json.code == 0 && table.code == 0, "\(json.errors)")
        let rows = try JSONDecoder().decode([Row].self, from: Data(json.output.utf8))
        try checkRows(rows)
        checkPrinted(table.output, rows: rows)
    }

    /// archive.csv: millilitres and percent, three digits.
    private func checkTable(_ text: String) throws {
        let lines = text.split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        let header = lines[0].map(String.init)
        #expect(lines.count == 1 + JudgeGoldens.cases.count)
        for line in lines.dropFirst() {
            let name = line[0].replacingOccurrences(of: "\"", with: "")
            let answer = try #require(JudgeGoldens(name).json(JudgedCase.self, "case.json").answers["vote"])
            let columns = [
                ("lesion_ml", answer.figures.lesion_ml), ("lung_ml", answer.figures.lung_ml),
                ("lesion_percent", answer.figures.lesion_percent),
                ("lesion_without_growing_ml", answer.figures.lesion_without_growing_ml),
            ]
            for (column, expected) in columns {
                let cell = Double(line[try #require(header.firstIndex(of: column))])
                #expect(abs((cell ?? .nan) - expected) < 0.00051, "\(name), \(column): \(line)")
            }
        }
    }

    private struct Score: Decodable {
        var mean: Double
        var standardDeviation: Double
    }

    /// As evaluate prints it; the judge has "n" for "count" and one more level.
    private struct Row: Decodable {
        struct Plain: Decodable {
            var dice: Score
            var precision: Score
            var sensitivity: Score
        }
        var answer: String
        var dice: Score
        var precision: Score
        var sensitivity: Score
        var specificity: Score
        var withoutGrowing: Plain
    }

    private struct JudgedRow: Decodable {
        var grown: [String: Score]
        var withoutGrowing: [String: Score]
    }

    private func checkRows(_ rows: [Row]) throws {
        let judged = try JudgeGoldens().json([String: JudgedRow].self, "evaluate.json")
        #expect(rows.map(\.answer) == ["none", "replica-0", "replica-1", "replica-2", "vote", "oracle"])
        for row in rows {
            let expected = try #require(judged[row.answer])
            let pairs = [
                (row.dice, expected.grown["dice"]), (row.precision, expected.grown["precision"]),
                (row.sensitivity, expected.grown["sensitivity"]), (row.specificity, expected.grown["specificity"]),
                (row.withoutGrowing.dice, expected.withoutGrowing["dice"]),
                (row.withoutGrowing.precision, expected.withoutGrowing["precision"]),
                (row.withoutGrowing.sensitivity, expected.withoutGrowing["sensitivity"]),
            ]
            for (number, (found, judged)) in pairs.enumerated() {
                let score = try #require(judged)
                #expect(abs(found.mean - score.mean) < 1e-9, "\(row.answer), \(number)")
                #expect(abs(found.standardDeviation - score.standardDeviation) < 1e-9, "\(row.answer), \(number)")
            }
        }
    }

    /// The table for people has the same figures in the columns that its header names.
    private func checkPrinted(_ text: String, rows: [Row]) {
        for row in rows {
            let scores = [
                row.dice, row.precision, row.sensitivity, row.withoutGrowing.dice, row.withoutGrowing.precision,
                row.withoutGrowing.sensitivity,
            ]
            let cells = scores.map { String(format: "%.1f ± %.1f", 100 * $0.mean, 100 * $0.standardDeviation) }
            let line = text.split(separator: "\n").first { $0.split(separator: " ").contains(Substring(row.answer)) }
            var rest = line ?? ""
            for cell in cells {
                let place = rest.firstRange(of: cell)
                #expect(place != nil, "\(row.answer): \(cell) is not in its column of \(line ?? "")")
                rest = place.map { rest[$0.upperBound...] } ?? rest
            }
        }
        let titles = ["Dice", "precision", "sensitivity", "Dice not grown", "precision", "sensitivity"]
        var header = text.split(separator: "\n").first { $0.contains("Dice") } ?? ""
        for title in titles {
            let place = header.firstRange(of: title)
            #expect(place != nil)
            header = place.map { header[$0.upperBound...] } ?? header
        }
    }

    private struct VoteFigures: Decodable {
        var voterCount: Int
        var lesionML: Double
        var lungML: Double
        var lesionPercent: Double
        var lesionWithoutGrowingML: Double
    }

    @Test(arguments: ["oblique", "flipped"]) func voteCountsAndGrowsAsTheJudgeDoes(_ name: String) throws {
        let road = try Road(), golden = JudgeGoldens(name)
        defer { road.remove() }
        let judged = try #require(golden.json(JudgedCase.self, "case.json").voted)
        let words = [
            "vote", "--votes", golden.path("healthy-0.nii.gz"), golden.path("healthy-1.nii.gz"),
            golden.path("healthy-2.nii.gz"), "--ct", try golden.path(beginning: "ct."), "--mask",
            try golden.path(beginning: "lung."), "--json",
        ]
        let limited = ["--growth-limit", "12"]
        for (folder, limit, expected) in [("all", [], judged.all), ("limited", limited, judged.limited)] {
            let outcome = try road.start(words + ["--out", folder] + limit).wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let figures = try JSONDecoder().decode(VoteFigures.self, from: Data(outcome.output.utf8))
            #expect(figures.voterCount == 3)
            #expect(abs(figures.lesionML - expected.lesion_ml) < 0.00051)
            #expect(abs(figures.lungML - expected.lung_ml) < 0.00051)
            #expect(abs(figures.lesionPercent - expected.lesion_percent) < 0.00051)
            #expect(abs(figures.lesionWithoutGrowingML - expected.lesion_without_growing_ml) < 0.00051)
            let lesions = limit.isEmpty ? "vote-lesions" : "vote-limited-lesions"
            for (file, expected) in [
                ("vote", "vote"), ("lesions", lesions), ("lesions-without-growing", "vote-without-growing"),
            ] {
                try Self.expect(
                    road.path("\(folder)/\(file).nii.gz"), toHoldTheVoxelsOf: golden.path("\(expected).nii.gz"),
                    "\(folder), \(file)")
            }
        }
    }

    private struct DataSet: Decodable {
        struct Volume: Decodable {
            var name: String
            var edgeVoxelsRemoved: Int
            var excludedSlices: [Int]
            var lungVoxelsBySlice: [Int]
            var lungML: Double
            var brightShare: Double
        }
        var volumes: [Volume]
    }

    @Test func prepareWritesTheJudgesDataSet() throws {
        let road = try Self.road(), golden = JudgeGoldens("data-set")
        defer { road.remove() }
        let judged = try golden.json(DataSet.self, "dataset.json"), leftOut = JudgeGoldens("leave-out")
        for name in ["oblique", "thin"] {
            try FileManager.default.removeItem(atPath: road.path("cts/\(name).nii.gz"))
        }
        // The judge's slices, in a table of all CTs with slices that have no findings among them.
        let slices = String(decoding: try leftOut.bytes("leave-out.csv"), as: UTF8.self)
            .split(whereSeparator: \.isNewline).dropFirst()
        #expect(!slices.isEmpty)
        let rows = slices.map { "leave-out,\($0),1" } + ["leave-out,5,0", "flipped,20,no", "leave-out,36,false"]
        try Data((["name,slice_z,lesion"] + rows).joined(separator: "\n").utf8)
            .write(to: URL(fileURLWithPath: road.path("findings.csv")))
        try road.succeed(
            "prepare", "cts", "--masks", "lungs", "--out", "data", "--preset", "demo", "--spacing", "6,5,5", "--plane",
            "32,48", "--leave-out", "findings.csv", "--quiet")
        let found = try JSONDecoder().decode(DataSet.self, from: #require(road.bytes("data/dataset.json")))
        #expect(found.volumes.map(\.name) == judged.volumes.map(\.name))
        for (found, expected) in zip(found.volumes, judged.volumes) {
            #expect(found.edgeVoxelsRemoved == expected.edgeVoxelsRemoved)
            #expect(found.excludedSlices == expected.excludedSlices)
            #expect(found.lungVoxelsBySlice == expected.lungVoxelsBySlice)
            #expect(abs(found.lungML - expected.lungML) < 1e-6 && abs(found.brightShare - expected.brightShare) < 1e-9)
            let image = try ImageFile.read(path: road.path("data/\(found.name).image.nii.gz")).volume.voxels
            let steps = try ImageFile.read(path: golden.path("\(found.name).image.nii.gz")).volume.voxels
            #expect(zip(image, steps).allSatisfy { abs(60_000 * $0 - $1) < 1.1 })
            let lung = try ImageFile.read(path: road.path("data/\(found.name).lung.nii.gz")).volume.voxels
            #expect(lung == (try ImageFile.read(path: golden.path("\(found.name).lung.nii.gz")).volume.voxels))
        }
    }
}
