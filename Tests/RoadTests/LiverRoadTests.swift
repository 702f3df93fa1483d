import Foundation
import Imaging
import Testing

/// The second recipe's whole road, small: a data set, two stages, votes, answers, scores.
@Suite(.serialized) struct LiverRoadTests {
    /// A stage that does not reach the next one, weights under another role, an option that another recipe has.
    @Test func livers() throws {
        let road = try Road()
        defer { road.remove() }
        let recipe = ["--recipe", "liver-restore-segment"]
        func run(_ words: [String]) throws -> Road.Outcome {
            let outcome = try road.start(words).wait()
            #expect(outcome.code == 0, "\(words): \(outcome.errors)")
            return outcome
        }
        _ = try run(["phantom", "--out", "ph", "--count", "2", "--diseased", "1", "--spacing", "8,6,6", "--quiet"]
            + recipe)
        _ = try run(["prepare", "ph/healthy", "--masks", "ph/livers", "--out", "data", "--preset", "demo", "--quiet"]
            + recipe)
        _ = try run(
            ["train", "--data", "data", "--run", "run", "--replicas", "3", "--restore-epochs", "1", "--segment-epochs",
             "1", "--widths", "4,8", "--base-channels", "2", "--quiet"] + recipe)
        for name in ["restorer-0", "restorer-2", "replica-0", "replica-2"] {
            #expect(road.bytes("run/\(name).safetensors") != nil, "\(name)")
        }
        _ = try run(["segment", "--run", "run", "--in", "ph/diseased", "--masks", "ph/livers", "--out", "masks",
                          "--members", "--quiet"])
        #expect(road.bytes("masks/diseased-00.nii.gz") != nil)
        let table = String(decoding: road.bytes("masks/archive.csv") ?? Data(), as: UTF8.self)
        #expect(table.contains("tumour_ml"))
        let scores = try run(
            ["evaluate", "--pred", "masks", "--truth", "ph/tumours", "--run", "run", "--ct", "ph/diseased", "--json"])
        #expect(scores.output.contains("oracle"), "\(scores.output)")
        try checkSlices(scores.output, road)
        try together(road, run)
        let help = try run(["train", "--help"] + recipe)
        #expect(help.output.contains("--segment-epochs") && !help.output.contains("--slab"))
    }

    /// Slices with tumour are told from those without where the answer is the truth, and by how much liver they show
    /// where it is all of it: along the third axis of these files, from top to bottom of the patient.
    private func checkSlices(_ scores: String, _ road: Road) throws {
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(scores.utf8)) as? [[String: Any]])
        func found(_ answer: String) -> Double? {
            (rows.first { $0["answer"] as? String == answer }?["sliceAUROC"] as? [String: Double])?["mean"]
        }
        #expect(found("oracle") == 1)
        func slices(_ name: String) throws -> [Int] {
            let volume = try ImageFile.read(path: road.path(name), name: name).volume
            let count = volume.shape.sliceVoxelCount
            return (0..<volume.shape.depth).map { z in
                volume.voxels[z * count..<(z + 1) * count].count { $0 > 0 }
            }
        }
        let liver = try slices("ph/livers/diseased-00.nii.gz"), tumour = try slices("ph/tumours/diseased-00.nii.gz")
        let with = liver.indices.filter { tumour[$0] > 0 }.map { liver[$0] }
        let without = liver.indices.filter { tumour[$0] == 0 && liver[$0] > 0 }.map { liver[$0] }
        let won = with.reduce(0.0) { sum, area in
            without.reduce(sum) { $0 + (area > $1 ? 1 : area == $1 ? 0.5 : 0) }
        }
        let expected = won / Double(with.count * without.count)
        #expect(abs((found("none") ?? .nan) - expected) < 1e-12, "\(String(describing: found("none"))), \(expected)")
    }

    /// The ablation without stages: one training, two files of a replica, its figures under its own step.
    private func together(_ road: Road, _ run: ([String]) throws -> Road.Outcome) throws {
        _ = try run(
            ["train", "--data", "data", "--run", "both", "--replicas", "1", "--restore-epochs", "1", "--together",
             "--restorer", "autoencoder", "--anomalies", "draem", "--base-channels", "2", "--quiet"])
        for name in ["restorer-0", "replica-0"] {
            #expect(road.bytes("both/\(name).safetensors") != nil, "\(name)")
        }
        let metrics = String(decoding: road.bytes("both/metrics.csv") ?? Data(), as: UTF8.self).split(separator: "\n")
        #expect(metrics.first == "replica,iteration,loss,dice,seconds" && metrics.count > 2, "\(metrics.prefix(3))")
        #expect(road.bytes("both/report.html") != nil)
        _ = try run(["segment", "--run", "both", "--in", "ph/diseased", "--masks", "ph/livers", "--out", "masks2",
                     "--quiet"])
        #expect(road.bytes("masks2/diseased-00.nii.gz") != nil)
        let refused = try road.start(
            ["train", "--data", "data", "--run", "no", "--together", "--segment-epochs", "2", "--quiet"]).wait()
        #expect(refused.code == 2 && refused.errors.contains("--segment-epochs"), "\(refused)")
    }
}
