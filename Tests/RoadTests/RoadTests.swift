import Coordinator
import Foundation
import Platform
import TestSupport
import Testing

/// The whole road with a tiny network: phantoms, prepare, train, segment, evaluate.
@Suite(.serialized) struct RoadTests {
    static let grid = ["--preset", "demo", "--spacing", "6,5,5", "--plane", "40,64"]
    static let network = ["--slab", "8", "--channels", "8,16", "--strides", "2", "--batch", "2"]

    /// Phantoms and a data set, made once for all tests of a road.
    private func prepared() throws -> Road {
        let road = try Road()
        try road.succeed(
            "phantom", "--out", "phantoms", "--count", "2", "--diseased", "2", "--spacing", "4,3.2,3.2", "--quiet")
        let outcome = try road.start(
            ["prepare", "phantoms/healthy", "--masks", "phantoms/lungs", "--out", "data", "--quiet"] + Self.grid
        ).wait()
        #expect(outcome.code == 0, "\(outcome.errors)")
        return road
    }

    private func train(
        _ road: Road, _ run: String, iterations: Int = 12, _ more: [String] = [],
        environment: [String: String] = [:]
    ) throws -> RunningProgram {
        try road.start(
            ["train", "--data", "data", "--run", run, "--replicas", "3", "--checkpoint-seconds", "1"] + Self.network
                + ["--iterations", "\(iterations)"] + more, environment: environment)
    }

    private func replicas(_ road: Road, _ run: String) -> [Data?] {
        (0..<3).map { road.bytes("\(run)/replica-\($0).safetensors") }
    }

    @Test func aFolderOfCTsBecomesReplicasAVoteAndMasks() throws {
        let road = try prepared()
        defer { road.remove() }
        let training = try train(road, "run", ["--threads", "2"]).wait()
        #expect(training.code == 0, "\(training.errors)")
        for line in ["network memory: ", "training waited ", "memory of this process: at most "] {
            #expect(training.errors.contains(line), "\(training.errors)")
        }
        for file in ["run.json", "metrics.csv", "report.html", "replica-2.safetensors"] {
            #expect(road.bytes("run/\(file)") != nil, "run/\(file) is missing")
        }
        let metrics = String(decoding: road.bytes("run/metrics.csv") ?? Data(), as: UTF8.self)
        #expect(metrics.split(separator: "\n").count == 1 + 3 * 12)

        try road.succeed(
            "segment", "--run", "run", "--in", "phantoms/diseased", "--masks", "phantoms/lungs", "--out", "masks",
            "--members")
        for name in ["diseased-00", "diseased-01"] {
            for file in ["\(name)", "without-growing/\(name)", "replica-2/\(name)", "lungs/\(name)"] {
                #expect(road.bytes("masks/\(file).nii.gz") != nil, "masks/\(file).nii.gz is missing")
            }
        }
        let table = try road.succeed(
            "evaluate", "--pred", "masks", "--truth", "phantoms/lesions", "--run", "run", "--ct", "phantoms/diseased",
            "--json")
        for row in ["none", "replica-0", "vote", "oracle"] { #expect(table.output.contains("\"\(row)\"")) }
    }

    /// AVX2 and plain code are what a processor without AVX-512 computes with.
    @Test func theSameRunHasTheSameBytesWithAnyNumberOfThreadsOnAnyInstructionSet() throws {
        let road = try prepared()
        defer { road.remove() }
        var trained: [[Data?]] = [], segmented: [[Data?]] = []
        for (threads, kernels) in [("1", ""), ("2", "avx2"), ("4", "portable"), ("2", "direct")] {
            let environment = kernels.isEmpty ? [:] : ["QUINTET_KERNELS": kernels], run = "run-\(kernels)"
            let training = try train(road, run, ["--threads", threads, "--quiet"], environment: environment).wait()
            // Portable ones are everywhere, and so is the best set without Winograd.
            let isMissing = kernels == "avx2" && training.code == 2 && training.errors.contains("no such kernels")
            guard isHere(!isMissing, "the kernels \(kernels) on this processor") else { continue }
            #expect(training.code == 0, "\(training.errors)")
            let segmenting = try road.start(
                [
                    "segment", "--run", run, "--in", "phantoms/diseased", "--masks", "phantoms/lungs", "--out",
                    "masks-\(kernels)", "--members", "--threads", threads, "--quiet",
                ], environment: environment
            ).wait()
            #expect(segmenting.code == 0, "\(segmenting.errors)")
            trained.append(replicas(road, run))
            segmented.append(["", "replica-0/", "replica-1/", "replica-2/"].flatMap { member in
                ["diseased-00", "diseased-01"].map { road.bytes("masks-\(kernels)/\(member)\($0).nii.gz") }
            })
        }
        #expect(trained.count >= 3 && trained[0].allSatisfy { $0 != nil } && segmented[0].allSatisfy { $0 != nil })
        // The last are other kernels with bytes of their own: the choice is heard, and a difference would be seen.
        #expect(trained.dropLast().allSatisfy { $0 == trained[0] } && trained.last != trained[0])
        #expect(segmented.dropLast().allSatisfy { $0 == segmented[0] })
    }

    @Test func kernelsThatAreNotThereAreRefusedWithThoseThatAre() throws {
        let road = try Road()
        defer { road.remove() }
        let outcome = try road.run("bench", "network", environment: ["QUINTET_KERNELS": "mmx"])
        #expect(outcome.code == 2)
        #expect(outcome.errors.contains("mmx") && outcome.errors.contains("portable"))
    }

    /// From one size to another the process grows by what the plan says, and by next to nothing else.
    @Test(.disabled(if: Road.isSanitized, "sanitizers keep memory of their own beside the program's"))
    func thePlannedMemoryIsWhatTheProcessTakes() throws {
        struct Figures: Decodable {
            var arenaBytes: Int
            var peakMemoryBytes: Int
        }
        let road = try Road()
        defer { road.remove() }
        let figures = try ["16x16x16", "32x96x96"].map { size in
            let outcome = try road.succeed(
                "bench", "network", "--mode", "train", "--preset", "lab", "--size", size, "--samples", "1",
                "--threads", "2", "--json")
            return try JSONDecoder().decode(Figures.self, from: Data(outcome.output.utf8))
        }
        let planned = figures[1].arenaBytes - figures[0].arenaBytes
        let taken = figures[1].peakMemoryBytes - figures[0].peakMemoryBytes
        #expect(planned > 50 << 20)
        // The block is rounded up to pages of 2 MiB; the sample itself and the threads' scratch come on top.
        #expect(taken > planned - (4 << 20) && taken < planned + (16 << 20), "\(taken) bytes, planned \(planned)")
    }

    @Test func aWorkerKilledAtAnyMomentChangesNoByte() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road, "calm", iterations: 120, ["--quiet"]).wait().code == 0)
        #expect(replicas(road, "calm").allSatisfy { $0 != nil })
        // While this process stood still, the first victim may have trained it all: then once more.
        var kills = 0, moments = SeededRandom(printedFor: "workers are killed")
        for round in 0..<5 where kills == 0 { kills = try storm(road, "stormy-\(round)", &moments) }
        #expect(kills > 0)
    }

    /// Trains what "calm" has trained while workers die, at moments that differ from run to run; the bytes must not.
    /// - Returns: how many died before the end.
    private func storm(_ road: Road, _ run: String, _ moments: inout SeededRandom) throws -> Int {
        try? FileManager.default.removeItem(atPath: road.path("port"))
        let coordinator = try road.start([
            "coordinator", "--state", "state-\(run)", "--listen", "127.0.0.1:0", "--lease-seconds", "2",
            "--port-file", "port",
        ])
        // Waited for: a dead child that nobody asks about holds up every test in a process of its own.
        defer { _ = coordinator.stop() }
        let address = "127.0.0.1:\(try HostileCluster.port(in: road, coordinator))"
        let submitted = try train(road, run, iterations: 120, ["--coordinator", address, "--quiet"])
        var kills = 0
        for delay in [0.4, 0.9, 1.7] {
            let victim = try road.start(["worker", "--coordinator", address, "--cache", "cache-\(kills)"])
            Thread.sleep(forTimeInterval: delay * Double.random(in: 0.5...1.5, using: &moments))
            if submitted.isRunning { kills += 1 }
            victim.signal(SIGKILL)
            _ = victim.wait()
        }
        let survivor = try road.start(["worker", "--coordinator", address, "--cache", "cache-last"])
        let outcome = submitted.wait()
        let left = survivor.stop()
        #expect(left.code == 0, "\(left.errors)")
        #expect(outcome.code == 0, "\(outcome.errors)")
        #expect(replicas(road, "calm") == replicas(road, run))
        return kills
    }

    /// A small `cluster/chaos.sh`: workers, coordinator and client die, stop or leave while they train and segment.
    /// Needs python3, as nothing else here does.
    @Test(.enabled(
        if: isHere(Road.python != nil, "python3 on PATH"), "there is no python3 on PATH to run cluster/chaos.sh with"))
    func whoeverIsKilledTheBytesAreTheSame() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../cluster/chaos.sh").path
        let road = try Road()
        defer { road.remove() }
        let chaos = try ChildProcess(
            executable: "/bin/bash",
            // How fast they leave is not asked here: the machine may be slow.
            arguments: [
                script, "5", "--iterations", "200", "--min-wait", "0.5", "--max-wait", "1.5", "--leave-seconds", "60",
            ],
            environment: ["QUINTET": Road.program, "TMPDIR": road.folder], output: .file(road.path("chaos")))
        let exit = chaos.wait()
        let figures = String(decoding: road.bytes("chaos") ?? Data(), as: UTF8.self)
        #expect(exit == .code(0) && figures.contains("nothing lost, nothing double, the same bytes"), "\(figures)")
    }

    @Test func anInterruptedTrainingGoesOnWithTheSameCommand() throws {
        let road = try prepared()
        defer { road.remove() }
        #expect(try train(road, "calm", iterations: 120, ["--quiet"]).wait().code == 0)
        // While this process stood still, the training may have come to its end: then once more.
        var stopped: String?
        for run in (0..<5).map({ "stopped-\($0)" }) where stopped == nil {
            let first = try train(road, run, iterations: 120)
            #expect(wait { hasWorkToKeep(road, run) || !first.isRunning }, "\(first.errorsSoFar)")
            first.signal(SIGINT)
            let outcome = first.wait()
            #expect([0, 130].contains(outcome.code), "\(outcome.errors)")
            if outcome.code == 130 { stopped = run }
        }
        let run = try #require(stopped, "no training was interrupted")
        #expect(hasWorkToKeep(road, run) && road.bytes("\(run)/run.json") == nil)
        let second = try train(road, run, iterations: 120).wait()
        #expect(second.code == 0, "\(second.errors)")
        #expect(replicas(road, "calm") == replicas(road, run))
    }

    /// Whether its own coordinator has anything to go on from: a checkpoint, or a replica that has ended before there
    /// was one.
    private func hasWorkToKeep(_ road: Road, _ run: String) -> Bool {
        let path = road.path("\(run)/.quintet/state.sqlite")
        guard FileManager.default.fileExists(atPath: path), let store = try? Database(path: path) else { return false }
        defer { store.close() }
        var count = 0
        // Its tables may not be there yet.
        for question in ["checkpoints", "works WHERE state = 'done'"] {
            try? store.query("SELECT count(*) FROM \(question)") { count += $0.int(0) }
        }
        return count > 0
    }
}
