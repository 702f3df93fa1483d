import Foundation
import TestSupport
import Testing

/// A run goes from one lab to another in a file, and answers there as it does here.
@Suite struct PackTests {
    private func trained(_ road: Road) throws {
        try road.prepareSmallData(diseasedCount: 1)
        try road.succeed(
            "train", "--data", "data", "--run", "run", "--replicas", "2", "--iterations", "25", "--threshold", "0.5",
            "--quiet", "--tensorboard", "board")
    }

    private func files(_ road: Road, _ folder: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: road.path(folder)).filter { !$0.hasPrefix(".") }.sorted()
    }

    @Test func anUnpackedRunGivesTheSameAnswers() throws {
        let road = try Road()
        defer { road.remove() }
        try trained(road)
        try Data("Two phantoms | made up.\n".utf8).write(to: URL(fileURLWithPath: road.path("about.txt")))
        let packed = try road.succeed(
            "pack", "run", "--out", "run.tar", "--licence", "CC BY 4.0", "--about", "about.txt")
        let digest = String(packed.output.prefix(64))
        // Byte for byte, and nothing is replaced without being asked.
        try road.succeed("pack", "run", "--out", "again.tar", "--licence", "CC BY 4.0", "--about", "about.txt")
        #expect(road.bytes("run.tar") == road.bytes("again.tar"))
        #expect(try road.run("pack", "run", "--out", "run.tar").code == 1)

        let wrong = try road.run(
            "unpack", "run.tar", "--out", "there", "--sha256", String(repeating: "0", count: 64))
        #expect(wrong.code == 1 && wrong.errors.contains(digest), "\(wrong.errors)")
        #expect(road.bytes("there") == nil && !FileManager.default.fileExists(atPath: road.path("there")))
        try road.succeed("unpack", "run.tar", "--out", "there", "--sha256", digest)
        #expect(try files(road, "there") == [
            "MODEL_CARD.md", "metrics.csv", "replica-0.safetensors", "replica-1.safetensors", "run.json",
        ])
        for name in ["metrics.csv", "replica-0.safetensors", "replica-1.safetensors", "run.json"] {
            #expect(road.bytes("there/\(name)") == road.bytes("run/\(name)"), "\(name)")
        }
        let card = String(decoding: road.bytes("there/MODEL_CARD.md") ?? Data(), as: UTF8.self)
        for part in ["2 CTs", "Two phantoms | made up.", "CC BY 4.0", "medical device", "| replica-1 | 25 |"] {
            #expect(card.contains(part), "\(part) is not in the card: \(card)")
        }
        // The data set's CTs are called so; nobody else is to know.
        #expect(!(road.bytes("run.tar") ?? Data()).contains(Data("healthy-00".utf8)))

        for run in ["run", "there"] {
            try road.succeed(
                "segment", "--run", run, "--in", "phantoms/diseased", "--out", "masks-\(run)", "--quiet")
        }
        let mask = try #require(road.bytes("masks-run/diseased-00.nii.gz"))
        #expect(mask == road.bytes("masks-there/diseased-00.nii.gz"))
        try onceMoreThereIsNothingToDo(road)
    }

    /// What somebody has put there since stays, and a damaged pack leaves what is there as it was.
    private func onceMoreThereIsNothingToDo(_ road: Road) throws {
        try road.succeed("unpack", "run.tar", "--out", "there")
        let url = URL(fileURLWithPath: road.path("there/MODEL_CARD.md"))
        try Data("mine".utf8).write(to: url)
        let kept = try road.run("unpack", "run.tar", "--out", "there")
        #expect(kept.code == 1 && kept.errors.contains("not as quintet wrote it"), "\(kept.errors)")
        var bytes = try #require(road.bytes("run.tar"))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: URL(fileURLWithPath: road.path("damaged.tar")))
        let damaged = try road.run("unpack", "damaged.tar", "--out", "new")
        #expect(damaged.code == 1 && damaged.errors.contains("is damaged"), "\(damaged.errors)")
        #expect(!FileManager.default.fileExists(atPath: road.path("new")))
    }
}

extension Data {
    fileprivate func contains(_ other: Data) -> Bool { range(of: other) != nil }
}
