import Foundation
import Imaging
import Recipes
import Testing
import quintet

/// A recipe is a plug-in: what stands in a registry has its options, plans, files and figures in every command, and no
/// command has to know it.
@Suite(.serialized) struct PlugInTests {
    private let registry = RecipeRegistry([LungPlugIn(), MadeUpPlugIn()])

    private func run(_ road: Road, _ words: String...) throws -> Int32 {
        try Program.run(words[0], Array(words.dropFirst()), in: registry)
    }

    private func json(_ road: Road, _ file: String) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: try #require(road.bytes(file), "\(file) is missing"))
        return try #require(object as? [String: Any])
    }

    @Test func helpTellsTheOptionsOfTheRecipeThatIsNamed() throws {
        let bones = try Program.help("train", ["--recipe", "made-up-bones"], in: registry)
        #expect(bones.contains("--rise HU") && bones.contains("how far each iteration raises the level"))
        #expect(!bones.contains("--slab") && !bones.contains("lab 2000"))
        let lungs = try Program.help("train", [], in: registry)
        #expect(lungs.contains("--slab") && !lungs.contains("--rise"))
        #expect(lungs.contains("lung-normnet or made-up-bones; default the data set's"))
        let prepare = try Program.help("prepare", ["--recipe=made-up-bones"], in: registry)
        for part in ["--stride N", "body masks named like the CTs", "labels of the body masks", "Measure CTs"] {
            #expect(prepare.contains(part), "\(part): \(prepare)")
        }
        #expect(!prepare.contains("--leave-out") && !prepare.lowercased().contains("lung mask"))
    }

    @Test func whatARecipeDoesNotHaveIsSaidByItsName() throws {
        let votes = ["--votes", "a", "--ct", "b", "--mask", "c"]
        for (command, words) in [("phantom", []), ("demo", []), ("vote", votes)] {
            let error = #expect(throws: (any Error).self) {
                try Program.run(command, words + ["--out", "x", "--recipe", "made-up-bones"], in: registry)
            }
            #expect("\(error.map { "\($0)" } ?? "")".contains("made-up-bones"), "\(command)")
        }
    }

    @Test func anUnknownRecipeIsRefusedWithThoseThatThereAre() throws {
        let error = #expect(throws: UsageError.self) { try Program.help("train", ["--recipe", "brain"], in: registry) }
        #expect(error?.description == "there is no recipe \"brain\"; choose one of: lung-normnet, made-up-bones")
        let road = try Road()
        defer { road.remove() }
        let outcome = try road.run("train", "--data", "data", "--run", "run", "--recipe", "brain")
        #expect(outcome.code == 2 && outcome.errors.contains("\"brain\"") && outcome.errors.contains("lung-normnet"))
        // A data set of a program that knows more.
        try FileManager.default.createDirectory(atPath: road.path("data"), withIntermediateDirectories: true)
        try Data("{\"recipe\":\"brain\"}".utf8).write(to: URL(fileURLWithPath: road.path("data/dataset.json")))
        let stored = try road.run("train", "--data", "data", "--run", "run")
        #expect(stored.code == 1 && stored.errors.contains("data/dataset.json") && stored.errors.contains("\"brain\""))
    }

    /// A data set and a run remember their recipe; two stages of training, each replica's second one from its own first
    /// one; a vote; figures. The levels and voxels are computed here once more from the files.
    @Test func aRecipeOfTwoStagesThatNoCommandKnowsGoesTheWholeRoad() throws {
        let road = try Road()
        defer { road.remove() }
        try road.succeed("phantom", "--out", road.path("play"), "--count", "2", "--diseased", "1", "--spacing",
                         "12,12,12", "--quiet")
        let needed = #expect(throws: UsageError.self) {
            try run(road, "prepare", road.path("play/healthy"), "--out", road.path("data"), "--recipe", "made-up-bones")
        }
        #expect(needed?.description.contains("--masks is needed") ?? false)
        #expect(try run(
            road, "prepare", road.path("play/healthy"), "--masks", road.path("play/lungs"), "--out", road.path("data"),
            "--recipe", "made-up-bones", "--stride", "2", "--quiet") == 0)
        let other = #expect(throws: (any Error).self) {
            try run(
                road, "train", "--data", road.path("data"), "--run", road.path("run"), "--recipe", "lung-normnet")
        }
        #expect("\(other.map { "\($0)" } ?? "")".contains("was prepared for the recipe made-up-bones"))
        #expect(try run(
            road, "train", "--data", road.path("data"), "--run", road.path("run"), "--rise", "200", "--replicas", "3",
            "--threads", "1", "--quiet") == 0)

        let mean = try ["healthy-00", "healthy-01"].map { try Self.mean(road, $0, stride: 2) }.reduce(0, +) / 2
        for replica in 0..<3 {
            let measured = try #require(road.bytes("run/measured-\(replica).safetensors"))
            let raised = try #require(road.bytes("run/replica-\(replica).safetensors"))
            let levels = [measured, raised].map { Double(String(decoding: $0, as: UTF8.self)) ?? .nan }
            #expect(abs(levels[0] - (mean + Double(replica))) < 1e-6 && abs(levels[1] - levels[0] - 800) < 1e-6)
        }
        let description = try json(road, "run/run.json")
        #expect(description["recipe"] as? String == "made-up-bones")
        #expect((description["otherDigests"] as? [String: String])?.count == 3)
        #expect((description["replicaDigests"] as? [String])?.count == 3)
        let settings = description["configuration"] as? [String: Double] ?? [:]
        #expect(settings["rise"] == 200 && abs((settings["level"] ?? 0) - (mean + 801)) < 1e-6)
        let metrics = String(decoding: road.bytes("run/metrics.csv") ?? Data(), as: UTF8.self).split(separator: "\n")
        #expect(metrics.first == "step,replica,iteration,level,seconds" && metrics.count == 1 + 3 * (3 + 4))
        let page = String(decoding: road.bytes("run/report.html") ?? Data(), as: UTF8.self)
        for part in ["Level in HU (measure)", "Level in HU (raise)", "What bones are", "levels of 2 bodies"] {
            #expect(page.contains(part), "\(part)")
        }
        try segment(road, level: Float(mean + 801))
    }

    private func segment(_ road: Road, level: Float) throws {
        #expect(try run(
            road, "segment", "--run", road.path("run"), "--in", road.path("play/diseased"), "--masks",
            road.path("play/lungs"), "--out", road.path("answers"), "--threads", "1", "--quiet") == 0)
        let ct = try ImageFile.read(path: road.path("play/diseased/diseased-00.nii.gz")).volume.voxels
        let body = try ImageFile.read(path: road.path("play/lungs/diseased-00.nii.gz")).mask().voxels
        let bones = zip(ct, body).map { UInt8($0 > level && $1 == 1 ? 1 : 0) }
        #expect(bones.contains(1) && bones.contains(0))
        #expect(try ImageFile.read(path: road.path("answers/diseased-00.nii.gz")).mask().voxels == bones)
        let table = String(decoding: road.bytes("answers/archive.csv") ?? Data(), as: UTF8.self)
        #expect(table.hasPrefix(
            "name,bone_voxels,source,refused,warnings,body_mask,add_hu,state,bytes,sha256,seconds,worker\n"))
        #expect(table.contains("\"diseased-00\",\(bones.reduce(0) { $0 + Int($1) }).000,"), "\(table)")
        // The recipe stands beside the answers, and is that of the run.
        #expect(try json(road, "answers/.quintet-segmentation.json")["recipe"] as? String == "made-up-bones")
        #expect(try run(
            road, "evaluate", "--pred", road.path("answers"), "--truth", road.path("play/lesions"), "--run",
            road.path("run"), "--ct", road.path("play/diseased"), "--json", "--quiet") == 0)
    }

    /// In HU, of every so many voxels.
    private static func mean(_ road: Road, _ name: String, stride: Int) throws -> Double {
        let ct = try ImageFile.read(path: road.path("play/healthy/\(name).nii.gz")).volume.voxels
        let mask = try ImageFile.read(path: road.path("play/lungs/\(name).nii.gz")).mask().voxels
        let inside = Swift.stride(from: 0, to: ct.count, by: stride).filter { mask[$0] == 1 }
        return inside.reduce(0) { $0 + Double(ct[$1]) } / Double(inside.count)
    }
}
