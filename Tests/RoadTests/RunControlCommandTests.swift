import Coordinator
import Foundation
import Platform
import Protocol
import TestSupport
import Testing

/// What the commands about runs that are under way say and how they end.
@Suite(.serialized) struct RunControlCommandTests {
    /// A coordinator without workers, and a client of it.
    private struct Bench {
        let road: Road
        let coordinator: RunningProgram
        let address: String
        let client: CoordinatorClient

        init() throws {
            road = try Road()
            coordinator = try road.start([
                "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port",
            ])
            let port = try HostileCluster.port(in: road, coordinator)
            address = "127.0.0.1:\(port)"
            client = try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
        }

        func submit(_ key: String) throws -> RunID {
            let data = try client.upload(bytes: [1, 2, 3], role: "volume", name: "data")
            return try client.submit(Submission(
                plan: .training(300), recipe: "lung-normnet", parameters: "{\"preset\":{\"name\":\"demo\"}}", seed: 4,
                replicaCount: 3, checkpointSeconds: 60, inputs: [data], itemManifest: nil,
                idempotencyKey: key, label: "march", submitter: "ada@lab3"))
        }

        func say(_ words: String...) throws -> Road.Outcome {
            try road.start(words + ["--coordinator", address]).wait()
        }

        func end() {
            #expect(coordinator.stop().code == 0)
            road.remove()
        }
    }

    @Test func theStatusTellsRunsApart() throws {
        let bench = try Bench()
        defer { bench.end() }
        _ = try bench.submit("a")
        let page = try bench.say("status").output
        #expect(page.contains("'march' of ada@lab3, 20"), "\(page)")
        #expect(page.contains("seed 4, 3 replicas, 300 iterations, preset demo"), "\(page)")
    }

    @Test func cancelSaysWhatIsTrue() throws {
        let bench = try Bench()
        defer { bench.end() }
        let run = try bench.submit("a")
        #expect(try bench.say("cancel", "1").output == "run 1 is cancelled\n")
        let again = try bench.say("cancel", "\(run.value)")
        #expect(again.code == 0 && again.output == "run 1 had already been cancelled\n")
        let unknown = try bench.say("cancel", "7")
        #expect(unknown.code == 1 && unknown.errors.contains("there is no run 7"), "\(unknown.errors)")
    }

    /// Where it looks between the two it says that the run was cancelled; both are true.
    @Test func whoeverWaitsForAForgottenRunIsToldWhatBecameOfIt() throws {
        let bench = try Bench()
        defer { bench.end() }
        try bench.road.prepareSmallData()
        let train = try bench.road.start([
            "train", "--data", "data", "--run", "run", "--replicas", "1", "--iterations", "5", "--slab", "8",
            "--channels", "4,8", "--strides", "2", "--coordinator", bench.address, "--quiet",
        ])
        #expect(try wait { try !bench.client.status().runs.isEmpty })
        try bench.client.cancel(RunID(1))
        try bench.client.forget(RunID(1))
        let outcome = train.wait()
        let words = ["run 1 is not there any more: it was cancelled or forgotten", "run 1 was cancelled"]
        #expect(outcome.code == 1 && words.contains { outcome.errors.contains($0) }, "\(outcome.errors)")
    }

    @Test func watchWaitsForARunAndEndsWithOneWhenItIsCancelled() throws {
        let bench = try Bench()
        defer { bench.end() }
        let watch = try bench.road.start(["watch", "--seconds", "0.1", "--coordinator", bench.address])
        let run = try bench.submit("a")
        #expect(wait { watch.outputSoFar.contains("run 1  running") })
        // Several looks later, nothing has changed and nothing is said again.
        MonotonicClock.sleep(milliseconds: 1_000)
        #expect(watch.isRunning)
        #expect(watch.outputSoFar.components(separatedBy: "run 1  running").count == 2, "\(watch.outputSoFar)")
        try bench.client.cancel(run)
        let outcome = watch.wait()
        #expect(outcome.code == 1 && outcome.output.contains("run 1  cancelled"), "\(outcome.output)")
    }

    @Test func runsArePausedResumedPrioritisedAndForgotten() throws {
        let bench = try Bench()
        defer { bench.end() }
        _ = try bench.submit("a")
        #expect(try bench.say("pause", "1").output.contains("quintet resume 1"))
        #expect(try bench.say("status").output.contains("| paused"))
        #expect(try bench.say("resume", "1").output == "run 1 goes on\n")
        #expect(try bench.say("priority", "1", "-5").code == 0)
        #expect(try bench.say("status").output.contains("priority -5"))
        let refused = try bench.say("forget", "1")
        #expect(refused.code == 1 && refused.errors.contains("quintet cancel 1"), "\(refused.errors)")
        #expect(try bench.say("cancel", "1").code == 0 && bench.say("forget", "1").code == 0)
        #expect(try bench.say("status").output.contains("no runs"))
        let nobody = try bench.say("drain", "lab7")
        #expect(nobody.code == 1 && nobody.errors.contains("'lab7'"), "\(nobody.errors)")
        for words in [["pause"], ["priority", "1"], ["forget", "x"], ["drain"]] {
            #expect(try bench.road.start(words).wait().code == 2)
        }
    }

    @Test func aDrainedWorkerEndsAsAfterATermination() throws {
        let bench = try Bench()
        defer { bench.end() }
        let worker = try bench.road.start([
            "worker", "--coordinator", bench.address, "--cache", "cache", "--name", "lab7",
        ])
        #expect(try wait { try bench.client.status().workers.contains { $0.isConnected } })
        #expect(try bench.say("drain", "lab7").code == 0)
        #expect(wait { !worker.isRunning })
        #expect(worker.wait().code == 0)
        #expect(try wait { try bench.say("status").output.contains("1 worker has left") })
    }
}
