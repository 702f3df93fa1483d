import Foundation
import Testing

/// Names of files are text from elsewhere: a bad one is refused by name, and stops nothing else.
@Suite(.serialized) struct HostileFileNamesTests {
    private static let escape = "bad\u{1B}]0;pwned\u{7}"
    private static let long = String(repeating: "n", count: 240)

    /// Two phantoms, one of them also under two names that no message may hold, and one under a long name that may.
    private func phantoms() throws -> Road {
        let road = try Road()
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "1", "--diseased", "1", "--spacing", "6,5,5", "--quiet")
        for folder in ["healthy", "diseased"] {
            let ct = road.path("phantoms/\(folder)/\(folder)-00.nii.gz")
            for name in [Self.escape, Self.long, String(repeating: "ö", count: 90)] {
                try FileManager.default.copyItem(
                    atPath: ct, toPath: road.path("phantoms/\(folder)/\(name).nii.gz"))
            }
        }
        return road
    }

    private func expectNamed(_ outcome: Road.Outcome) {
        #expect(outcome.code == 3, "\(outcome.errors)")
        #expect(outcome.errors.contains("nnnnnnnn") && outcome.errors.contains("rename it"), "\(outcome.errors)")
        #expect(outcome.errors.contains("bad\\u001b]0;pwned\\u0007"), "\(outcome.errors)")
        #expect(!outcome.errors.contains("\u{1B}") && !outcome.errors.contains("\u{7}"))
    }

    @Test func aNameThatNoMessageMayHoldIsRefusedAndTheOthersAreDone() throws {
        let road = try phantoms()
        defer { road.remove() }
        let prepared = try road.start(
            [
                "prepare", "phantoms/healthy", "--out", "data", "--preset", "demo", "--spacing", "8,7,7", "--plane",
                "32,48",
            ]
        ).wait()
        expectNamed(prepared)
        #expect(road.bytes("data/healthy-00.image.nii.gz") != nil)
        // 180 bytes are more than a message may hold: the end stands for it, behind a part of its digest.
        let cut = try FileManager.default.contentsOfDirectory(atPath: road.path("data")).filter { $0.contains("~ö") }
        #expect(cut.count == 2 && cut.allSatisfy { $0.utf8.count < 190 }, "\(cut)")
        // As many as can be segmented with, and no more, can be trained.
        let many = try road.run("train", "--data", "data", "--run", "many", "--replicas", "65")
        #expect(many.code == 2 && many.errors.contains("1 to 64"), "\(many.errors)")
        let trained = try road.start(
            ["train", "--data", "data", "--run", "run", "--replicas", "1", "--iterations", "1", "--threshold", "0.5"]
                + RoadTests.network).wait()
        #expect(trained.code == 0, "\(trained.errors)")
        let segmented = try road.run("segment", "--run", "run", "--in", "phantoms/diseased", "--out", "masks")
        expectNamed(segmented)
        #expect(road.bytes("masks/diseased-00.nii.gz") != nil)
        #expect(road.bytes("masks/\(String(repeating: "ö", count: 90)).nii.gz") != nil)
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        #expect(table.split(separator: "\n").count == 5 && !table.contains("\u{1B}"), "\(table)")
    }
}
