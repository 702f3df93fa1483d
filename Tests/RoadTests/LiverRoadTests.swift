import Foundation
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
        let table = String(decoding: road.bytes("masks/results.csv") ?? Data(), as: UTF8.self)
        #expect(table.contains("tumour_ml"))
        let scores = try run(
            ["evaluate", "--pred", "masks", "--truth", "ph/tumours", "--run", "run", "--ct", "ph/diseased", "--json"])
        #expect(scores.output.contains("oracle"), "\(scores.output)")
        let help = try run(["train", "--help"] + recipe)
        #expect(help.output.contains("--segment-epochs") && !help.output.contains("--slab"))
    }
}
