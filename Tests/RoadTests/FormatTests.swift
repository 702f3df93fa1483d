import Coordinator
import Foundation
import Imaging
import Platform
import TestSupport
import Testing
import quintet

/// What docs/FORMATS.md says of the files in people's folders.
@Suite struct FormatTests {
    /// The first python3 on the PATH that has numpy; nil where none has.
    static let pythonWithNumpy: String? = {
        guard let python = Road.python,
            let process = try? ChildProcess(
                executable: python, arguments: ["-c", "import numpy"], output: .discarded)
        else { return nil }
        return process.wait() == .code(0) ? python : nil
    }()

    private static let documents = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../docs").path

    private static let jsonFiles = [
        "data/dataset.json", "run/run.json", "run/.quintet-request.json", "masks/.quintet-segmentation.json",
    ]

    private func answered(_ road: Road) throws {
        try road.prepareSmallData(diseasedCount: 1)
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "3", "--iterations", "30", "--threshold", "0.6",
            "--quiet")
        try segment(road)
    }

    @discardableResult
    private func segment(_ road: Road) throws -> Road.Outcome {
        try road.succeed("segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks", "--sqlite")
    }

    /// An answer comes out of the documents alone: by a script that was written from them, in another language.
    private func anAnswerCanBeRebuiltFromTheDocuments(_ road: Road) throws {
        guard isHere(Self.pythonWithNumpy != nil, "python3 with numpy on PATH"), let python = Self.pythonWithNumpy
        else { return }
        let process = try ChildProcess(
            executable: python,
            arguments: [
                Self.documents + "/rebuild_answer.py", road.path("run"),
                road.path("phantoms/diseased/diseased-00.nii.gz"),
                road.path("masks/diseased-00.nii.gz"),
            ], output: .file(road.path("rebuilt")))
        let ending = process.wait(), text = String(decoding: road.bytes("rebuilt") ?? Data(), as: UTF8.self)
        #expect(ending == .code(0), "\(text)")
        // Neither an empty answer, which any script rebuilds, nor one of everything.
        let counts = text.split(separator: "\n").compactMap { Int($0.split(separator: " ")[1]) }
        #expect(counts.count == 2 && counts.allSatisfy { $0 > 20 } && counts[0] != counts[1], "\(text)")
    }

    @Test func filesSayTheirFormatAndMasksWhatMadeThem() throws {
        let road = try Road()
        defer { road.remove() }
        try answered(road)
        for name in Self.jsonFiles {
            let object = try JSONSerialization.jsonObject(with: try #require(road.bytes(name))) as? [String: Any]
            #expect(object?["format"] as? Int == 1, "\(name)")
        }
        let journal = String(decoding: road.bytes("masks/.quintet-archive") ?? Data(), as: UTF8.self)
        #expect(journal.hasPrefix("{\"folder\":\"") && journal.prefix { $0 != "\n" }.contains("\"format\":1"))
        // SQLite's user_version, big-endian in the header.
        #expect(road.bytes("masks/archive.sqlite").map { Array($0[60..<64]) } == [0, 0, 0, 1])

        let digest = Hexadecimal.text(try SHA256.digest(ofFile: road.path("run/run.json"))).prefix(16)
        for name in ["diseased-00", "without-growing/diseased-00", "lungs/diseased-00"] {
            let mask = try ImageFile.read(path: road.path("masks/\(name).nii.gz"))
            let source = try JSONSerialization.jsonObject(with: JSONEncoder().encode(mask.source)) as? [String: Any]
            let header = try #require(source?["header"] as? [Int])
            let text = String(decoding: header[148..<228].prefix { $0 != 0 }.map { UInt8($0) }, as: UTF8.self)
            #expect(text == "quintet 0.1.0, run \(digest)", "\(name)")
        }
        try anAnswerCanBeRebuiltFromTheDocuments(road)
        try everyKeyAndColumnIsDocumented(road)
        try filesOfEarlierProgramsAreTaken(road)
        try filesOfLaterProgramsAreRefused(road)
    }

    /// Somebody adds a key or a column, and docs/FORMATS.md says nothing of it.
    private func everyKeyAndColumnIsDocumented(_ road: Road) throws {
        let document = try String(contentsOfFile: Self.documents + "/FORMATS.md", encoding: .utf8)
        func check(_ names: some Sequence<String>, of file: String) {
            let missing = Set(names).filter { !document.contains("`\($0)`") && !document.contains("`\($0)[]`") }
            #expect(missing.isEmpty, "FORMATS.md lacks \(missing.sorted()) of \(file)")
        }
        for name in Self.jsonFiles {
            check(keys(try JSONSerialization.jsonObject(with: try #require(road.bytes(name)))), of: name)
        }
        for line in try #require(road.bytes("masks/.quintet-archive")).split(separator: UInt8(ascii: "\n")) {
            check(keys(try JSONSerialization.jsonObject(with: Data(line))), of: ".quintet-archive")
        }
        for name in ["masks/archive.csv", "run/metrics.csv"] {
            let text = String(decoding: try #require(road.bytes(name)), as: UTF8.self)
            check(CSV.rows(text)[0], of: name)
        }
        let listed = try road.succeed(
            "segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks", "--json", "--quiet")
        check(keys(try JSONSerialization.jsonObject(with: Data(listed.output.utf8))), of: "segment --json")
        let weights = try #require(road.bytes("run/replica-0.safetensors"))
        let size = weights.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONSerialization.jsonObject(with: weights[8..<8 + size]) as? [String: Any]
        check(keys(header?["__metadata__"] as Any), of: "weights")
        let database = try Database(path: road.path("state.sqlite"))
        try Migrations.apply(to: database)
        var names: Set<String> = []
        try database.query("""
            SELECT m.name, c.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.name NOT LIKE 'sqlite_%'
            AND m.name NOT IN ('check_blobs', 'checks', 'opinions', 'trusted', 'makers', 'set_aside')
            """) { names.formUnion([$0.text(0), $0.text(1)]) }
        check(names, of: "state.sqlite")
        database.close()
    }

    /// Of all objects within, but for those whose keys are data: file names, thresholds.
    private func keys(_ value: Any) -> Set<String> {
        if let list = value as? [Any] { return list.reduce(into: []) { $0.formUnion(keys($1)) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.reduce(into: Set(object.keys)) { all, pair in
            if !["calibration", "files"].contains(pair.key) { all.formUnion(keys(pair.value)) }
        }
    }

    /// As if quintet had written it so.
    private func change(_ road: Road, _ name: String, _ old: String, _ new: String) throws {
        let folder = FileSystem.folder(of: name), ledger = "\(folder)/.quintet-files"
        let before = try #require(road.bytes(name)), text = String(decoding: before, as: UTF8.self)
        #expect(text.contains(old), "\(name) has no \(old)")
        let after = text.replacingOccurrences(of: old, with: new)
        try Data(after.utf8).write(to: URL(fileURLWithPath: road.path(name)))
        let digests = [Array(before), Array(after.utf8)].map { Hexadecimal.text(SHA256.digest(of: $0)) }
        let list = String(decoding: road.bytes(ledger) ?? Data(), as: UTF8.self)
        try Data(list.replacingOccurrences(of: digests[0], with: digests[1]).utf8)
            .write(to: URL(fileURLWithPath: road.path(ledger)))
    }

    /// Which wrote no number into three of them.
    private func filesOfEarlierProgramsAreTaken(_ road: Road) throws {
        try change(road, "run/.quintet-request.json", "  \"format\" : 1,\n", "")
        try change(road, "masks/.quintet-segmentation.json", "  \"format\" : 1,\n", "")
        try change(road, "masks/.quintet-archive", ",\"format\":1", "")
        let again = try segment(road)
        #expect(again.errors.contains("segmented 1 of 1 CTs into masks, computed 0"), "\(again.errors)")
        let other = try road.run(
            "train", "--data", "data", "--run", "run", "--replicas", "3", "--iterations", "31", "--threshold", "0.6")
        #expect(other.code == 1 && other.errors.contains("iterations 30 -> 31"), "\(other.errors)")
        #expect(!other.errors.contains("format"), "\(other.errors)")
    }

    private func filesOfLaterProgramsAreRefused(_ road: Road) throws {
        try change(road, "masks/.quintet-archive", "\"format\":1", "\"format\":2")
        let journal = try road.run("segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks")
        #expect(journal.code == 1 && journal.errors.contains("later quintet"), "\(journal.errors)")
        try change(road, "run/run.json", "\"format\" : 1", "\"format\" : 2")
        let run = try road.run("segment", "--run", "run", "--in", "phantoms/diseased", "--out", "elsewhere")
        #expect(run.code == 1 && run.errors.contains("later quintet"), "\(run.errors)")
    }
}
