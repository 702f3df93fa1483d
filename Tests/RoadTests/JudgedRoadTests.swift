import Coordinator
import Foundation
import Imaging
import Platform
import TestSupport
import Testing

/// The whole road from phantoms to figures, with a death on the way, beside what an independent program says of the
/// same files at every station. `Tests/Judge/make_road.sh` made the same road, and `Tests/Judge/judge_road.py` judged
/// it with MONAI's networks and PyTorch's losses: since the same seed gives the same bytes, it is this road that was
/// judged.
@Suite struct JudgedRoadTests {
    private static let network = ["--slab", "8", "--channels", "8,16", "--strides", "2", "--batch", "2", "--seed", "3"]

    /// What the judge says, by station.
    private struct Judged {
        let values: [String: Any]

        init() throws {
            let bytes = Data(try JudgeGoldens("road").bytes("judged.json"))
            values = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
        }

        func number(_ station: String) throws -> Double { try #require(values[station] as? Double, "\(station)") }
        func numbers(_ station: String) throws -> [Double] { try #require(values[station] as? [Double], "\(station)") }

        /// Within what a decimal of so many digits leaves out.
        func expect(_ station: String, _ found: Double?, within tolerance: Double = 1e-9) throws {
            let expected = try number(station)
            #expect(abs((found ?? .nan) - expected) <= tolerance, "\(station): \(found ?? .nan), judge \(expected)")
        }
    }

    @Test func aRoadWithADeathOnTheWayHasTheFiguresThatTheJudgeFinds() throws {
        let road = try Road(), judged = try Judged()
        defer { road.remove() }
        try prepare(road)
        try checkDataSet(road, judged)
        try checkPairs(road, judged)
        try trainWithADeath(road)
        try checkCalibration(road, judged)
        try road.succeed(
            "segment", "--run", "run", "--in", "phantoms/diseased", "--masks", "phantoms/lungs", "--out", "masks",
            "--members", "--quiet")
        try checkAnswers(road, judged)
        let table = try road.succeed(
            "evaluate", "--pred", "masks", "--truth", "phantoms/lesions", "--run", "run", "--ct", "phantoms/diseased",
            "--json", "--quiet")
        try checkEvaluation(table.output, judged)
    }

    /// One replica, two steps: its losses are PyTorch's in double precision, of the same samples and first weights.
    @Test func lossesOfATrainingAreThoseThatPyTorchFindsForTheSameSamples() throws {
        let road = try Road(), judged = try Judged()
        defer { road.remove() }
        try prepare(road)
        for (run, rate) in [("frozen", "0"), ("stepped", "3e-3")] {
            let outcome = try road.start([
                "train", "--data", "data", "--run", run, "--learning-rate", rate, "--replicas", "1", "--iterations",
                "2", "--threshold", "0.5", "--quiet",
            ] + Self.network).wait()
            #expect(outcome.code == 0, "\(outcome.errors)")
            let lines = try #require(String(bytes: road.bytes("\(run)/metrics.csv") ?? Data(), encoding: .utf8))
                .split(separator: "\n").map { $0.split(separator: ",") }
            #expect(lines.first?.joined(separator: ",") == "replica,iteration,loss,dice,seconds" && lines.count == 3)
            for line in lines.dropFirst() {
                let station = "\(run), iteration \(line[1])"
                try judged.expect("\(station): loss", Double(line[2]), within: 1e-5)
                // A voxel whose logits are equal but for rounding may be either.
                try judged.expect("\(station): hard Dice", Double(line[3]), within: 1e-3)
            }
        }
    }

    private func prepare(_ road: Road) throws {
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "2", "--diseased", "2", "--spacing", "4,3.2,3.2", "--quiet")
        try road.succeed(
            "prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data", "--preset", "demo",
            "--spacing", "6,5,5", "--plane", "40,64", "--quiet")
    }

    /// The replicas of two workers, of which the first dies with its work begun.
    private func trainWithADeath(_ road: Road) throws {
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--lease-seconds", "2", "--port-file", "port",
        ])
        defer { _ = coordinator.stop() }
        let port = try HostileCluster.port(in: road, coordinator), address = "127.0.0.1:\(port)"
        let training = try road.start([
            "train", "--data", "data", "--run", "run", "--replicas", "3", "--iterations", "60", "--learning-rate",
            "3e-3", "--checkpoint-seconds", "1", "--coordinator", address, "--quiet",
        ] + Self.network)
        let victim = try road.start(["worker", "--coordinator", address, "--cache", "cache-victim"])
        let client = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
        #expect(try wait { try client.status().workers.contains { $0.work != nil } })
        #expect(training.isRunning)
        victim.signal(SIGKILL)
        _ = victim.wait()
        let survivor = try road.start(["worker", "--coordinator", address, "--cache", "cache-survivor"])
        let outcome = training.wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        let history = try road.succeed("status", "--coordinator", address, "--history").output
        #expect(history.contains(" lapsed: "), "nobody lost work: \(history)")
        #expect(survivor.stop().code == 0)
    }

    private struct DataSet: Decodable {
        struct Volume: Decodable {
            var name: String
            var edgeVoxelsRemoved: Double
            var lungVoxelsBySlice: [Double]
            var lungML: Double
            var brightShare: Double
        }
        var volumes: [Volume]
    }

    private func checkDataSet(_ road: Road, _ judged: Judged) throws {
        let found = try JSONDecoder().decode(DataSet.self, from: #require(road.bytes("data/dataset.json")))
        #expect(found.volumes.count == 2)
        for volume in found.volumes {
            let station = "data set, \(volume.name)"
            #expect(volume.lungVoxelsBySlice == (try judged.numbers("\(station): lungVoxelsBySlice")))
            try judged.expect("\(station): edgeVoxelsRemoved", volume.edgeVoxelsRemoved)
            try judged.expect("\(station): lungML", volume.lungML, within: 1e-6)
            try judged.expect("\(station): brightShare", volume.brightShare, within: 1e-6)
        }
    }

    /// What `lesions` writes: bright and healthy voxels of each sample, and of each calibration slab, by the judge's
    /// slabs, with the lesions as they are written.
    private func checkPairs(_ road: Road, _ judged: Judged) throws {
        try road.succeed(
            "lesions", "--data", "data", "--out", "pairs", "--count", "4", "--seed", "3", "--slab", "8", "--batch",
            "2", "--quiet")
        try road.succeed(
            "lesions", "--calibration", "--data", "data", "--out", "calibration", "--seed", "3", "--slab", "8",
            "--quiet")
        func count(_ file: String) throws -> Double {
            Double(try ImageFile.read(path: road.path(file)).volume.voxels.count { $0 == 1 })
        }
        for number in 0..<4 {
            try judged.expect("pair 000\(number): target", count("pairs/000\(number).target.nii.gz"))
            #expect(try count("pairs/000\(number).lesion.nii.gz") > 0)
        }
        for number in 0..<Int(try judged.number("calibration: slabs")) {
            for kind in ["target", "lung"] {
                try judged.expect(
                    "calibration 000\(number): \(kind)", count("calibration/000\(number).\(kind).nii.gz"))
            }
        }
        #expect(road.bytes("calibration/0008.lung.nii.gz") == nil)
        try checkAblations(road)
    }

    /// The paper's Table V: without shapes lesions lie elsewhere, without the two others they look different.
    private func checkAblations(_ road: Road) throws {
        for word in ["shapes", "probability-maps", "salt-noise"] {
            try road.succeed(
                "lesions", "--data", "data", "--out", word, "--count", "1", "--seed", "3", "--slab", "8", "--batch",
                "2", "--without", word, "--quiet")
            func isSame(_ kind: String) -> Bool {
                road.bytes("\(word)/0000.\(kind).nii.gz") == road.bytes("pairs/0000.\(kind).nii.gz")
            }
            #expect(isSame("lesion") == (word != "shapes") && !isSame("image"), "\(word)")
        }
    }

    private struct Run: Decodable {
        struct Configuration: Decodable {
            var healthyThreshold: Double
        }
        var configuration: Configuration
        var calibration: [String: Double]
    }

    private func checkCalibration(_ road: Road, _ judged: Judged) throws {
        let run = try JSONDecoder().decode(Run.self, from: #require(road.bytes("run/run.json")))
        try judged.expect("calibration: threshold", run.configuration.healthyThreshold)
        #expect(run.calibration.count == 15)
        for (threshold, dice) in run.calibration {
            // A voxel within rounding of a candidate may fall to either side.
            try judged.expect("calibration: Dice at \(threshold)", dice, within: 2e-3)
        }
    }

    private func checkAnswers(_ road: Road, _ judged: Judged) throws {
        for name in ["diseased-00", "diseased-01"] {
            for answer in ["replica-0", "replica-1", "replica-2", "vote"] {
                let folder = answer == "vote" ? "" : "\(answer)/"
                for (kind, below) in [("grown", ""), ("core", "without-growing/")] {
                    let mask = try ImageFile.read(path: road.path("masks/\(folder)\(below)\(name).nii.gz"))
                    let count = mask.volume.voxels.count { $0 == 1 }
                    try judged.expect("\(name), \(answer), \(kind)", Double(count))
                }
            }
        }
        let lines = try #require(String(bytes: road.bytes("masks/archive.csv") ?? Data(), encoding: .utf8))
            .split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false) }
        #expect(lines.count == 3)
        for line in lines.dropFirst() {
            let name = line[0].replacingOccurrences(of: "\"", with: "")
            for column in ["lesion_ml", "lesion_percent", "lung_ml", "lesion_without_growing_ml"] {
                let cell = line[try #require(lines[0].firstIndex { $0 == column })]
                try judged.expect("\(name), archive.csv: \(column)", Double(cell), within: 0.00051)
            }
        }
    }

    private func checkEvaluation(_ text: String, _ judged: Judged) throws {
        let rows = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [[String: Any]])
        #expect(rows.count == 6)
        for row in rows {
            let answer = try #require(row["answer"] as? String)
            func check(_ scores: [String: Any], _ kind: String, _ names: [String]) throws {
                for name in names {
                    let score = try #require(scores[name] as? [String: Any])
                    let expected = try judged.numbers("evaluate, \(answer), \(kind): \(name)")
                    let found = ["mean", "standardDeviation", "count"].map { score[$0] as? Double ?? .nan }
                    #expect(
                        zip(found, expected).allSatisfy { abs($0 - $1) < 1e-9 },
                        "\(answer), \(kind), \(name): \(found), judge \(expected)")
                }
            }
            try check(row, "grown", ["dice", "precision", "sensitivity", "specificity"])
            let plain = try #require(row["withoutGrowing"] as? [String: Any])
            try check(plain, "withoutGrowing", ["dice", "precision", "sensitivity"])
        }
    }
}
