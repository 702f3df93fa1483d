import Foundation
import Imaging
import Testing

import quintet

/// `segment --agreement --probabilities --numbered`, as a user says it.
@Suite struct ExtraFilesTests {
    /// A file that is missing, asked for again for ever, taken for a CT's answer by evaluate, or a table whose rows are
    /// not the mask's.
    @Test func filesThatAreAskedForComeOnceAndAreNobodysAnswer() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData(diseasedCount: 1)
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "2", "--iterations", "2", "--channels", "4,8",
            "--strides", "2", "--batch", "1", "--threshold", "0.5", "--quiet")
        let words = [
            "segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks", "--quiet", "--json",
        ]
        func segment(_ extras: String...) throws -> Road.Outcome { try road.start(words + extras).wait() }
        let plain = try segment()
        #expect(plain.code == 0 && road.bytes("masks/lesions.csv") == nil, "\(plain.errors)")
        let name = try #require(FileManager.default.contentsOfDirectory(atPath: road.path("masks"))
            .first { $0.hasSuffix(".nii.gz") })
        let mask = try #require(road.bytes("masks/\(name)"))

        let asked = try segment("--agreement", "--probabilities", "--numbered")
        #expect(asked.code == 0, "\(asked.errors)")
        #expect(road.bytes("masks/\(name)") == mask)
        for folder in ["agreement", "probability", "spread", "numbered"] {
            #expect(road.bytes("masks/\(folder)/\(name)") != nil, "\(folder)")
        }
        let numbered = try ImageFile.read(path: road.path("masks/numbered/\(name)"))
        let table = CSV.rows(String(decoding: try #require(road.bytes("masks/lesions.csv")), as: UTF8.self))
        #expect(table[0].prefix(3) == ["name", "number", "lesion_ml"])
        #expect(table.count - 1 == Int(numbered.volume.voxels.max() ?? 0))
        #expect(asked.output.contains("\"lesions\""))

        // Nothing is computed again, with them or without.
        let before = road.bytes("masks/numbered/\(name)")
        #expect(try segment("--agreement", "--probabilities", "--numbered").code == 0)
        #expect(try segment().code == 0)
        #expect(road.bytes("masks/numbered/\(name)") == before)
        try aChangedCTKeepsNothingOfTheOldOne(road, name, segment)
        let evaluated = try road.run("evaluate", "--pred", "masks", "--truth", "phantoms/lesions", "--quiet")
        #expect(evaluated.code == 0, "\(evaluated.errors)")
    }

    /// Lesions by number, or a replica's mask, of the CT that was there before, beside the new one's answer.
    private func aChangedCTKeepsNothingOfTheOldOne(
        _ road: Road, _ name: String, _ segment: (String...) throws -> Road.Outcome
    ) throws {
        #expect(try segment("--members", "--numbered").code == 0)
        #expect(road.bytes("masks/replica-0/\(name)") != nil && road.bytes("masks/agreement/\(name)") != nil)
        // What a person has changed stays.
        let noted = Array("a note".utf8)
        try Data(noted).write(to: URL(fileURLWithPath: road.path("masks/spread/\(name)")))
        let other = try #require(road.bytes("phantoms/healthy/healthy-00.nii.gz"))
        try other.write(to: URL(fileURLWithPath: road.path("phantoms/diseased/\(name)")))
        let again = try segment()
        #expect(again.code == 0, "\(again.errors)")
        for folder in ["agreement", "probability", "numbered", "replica-0", "replica-1"] {
            #expect(road.bytes("masks/\(folder)/\(name)") == nil, "\(folder)")
        }
        #expect(road.bytes("masks/spread/\(name)") == Data(noted) && road.bytes("masks/\(name)") != nil)
        #expect(CSV.rows(String(decoding: road.bytes("masks/lesions.csv") ?? Data(), as: UTF8.self)).count == 1)
        try FileManager.default.removeItem(atPath: road.path("masks/spread/\(name)"))
    }
}
