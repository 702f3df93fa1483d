import Foundation
import Protocol
import Recipes
import Testing
import Worker

/// Runs pieces of work on a compute thread and collects what it says.
final class ComputeBench: @unchecked Sendable {
    // Unchecked: guarded by `condition`.
    private let condition = NSCondition()
    private var reports: [ComputeReport] = []
    private var paths: [String] = []
    private(set) var thread: ComputeThread!
    let lease = Lease(work: WorkID(1), epoch: 1)

    init(threadCount: Int = 2, isIntact: @escaping @Sendable (ContentDigest, Bool) -> Bool = { _, _ in true }) {
        let environment = ComputeEnvironment(
            cacheDirectory: NSTemporaryDirectory(), isIntact: isIntact,
            nowNanoseconds: { DispatchTime.now().uptimeNanoseconds })
        thread = ComputeThread(recipes: ["fake": FakeRecipe()], threadCount: threadCount, environment: environment) {
            [weak self] in self?.note($0)
        }
    }

    deinit {
        thread.end(withinSeconds: 5)
        for path in paths { try? FileManager.default.removeItem(atPath: path) }
    }

    private func note(_ report: ComputeReport) {
        condition.lock()
        reports.append(report)
        condition.broadcast()
        condition.unlock()
    }

    /// Waits until some report is of interest; nil after 60 s.
    func wait<Result>(for interest: (ComputeReport) -> Result?) -> Result? {
        condition.lock()
        defer { condition.unlock() }
        let deadline = Date(timeIntervalSinceNow: 60)
        while true {
            for report in reports { if let result = interest(report) { return result } }
            guard condition.wait(until: deadline) else { return nil }
        }
    }

    func waitForEnd() -> ComputeEnd? {
        wait { if case .ended(_, let end) = $0 { end } else { nil } }
    }

    func waitForIteration(_ iteration: UInt32) {
        _ = wait { if case .progressed(let progress, _) = $0, progress.iteration >= iteration { true } else { nil } }
    }

    var metrics: [IterationFigures] {
        condition.lock()
        defer { condition.unlock() }
        return reports.flatMap { report -> [IterationFigures] in
            if case .progressed(_, let metrics) = report { metrics } else { [] }
        }
    }

    func start(
        _ step: String, _ parameters: String, resume: (iteration: Int, bytes: [UInt8])? = nil,
        recipe: String = "fake"
    ) throws {
        let input = try file(Array("the volume".utf8))
        let description = WorkDescription(
            run: RunID(1), recipe: recipe, step: step, kind: step == "train" ? .session : .task, replica: 3,
            seed: 11, parameters: parameters,
            inputs: [blob("ct", 10)])
        let resumePath = try resume.map { try file($0.bytes) }
        let checkpoint = resume.map { Checkpoint(iteration: UInt32($0.iteration), blob: blob("state", $0.bytes.count)) }
        thread.start(ComputeOrder(
            assignment: Assignment(lease: lease, description: description, resume: checkpoint, checkpointSeconds: 30),
            inputs: [RecipeInput(role: "ct", name: "case-7", path: input)], resumePath: resumePath))
    }

    private func blob(_ name: String, _ byteCount: Int) -> BlobReference {
        BlobReference(role: name, name: name, digest: digest(name), byteCount: UInt64(byteCount))
    }

    private func file(_ bytes: [UInt8]) throws -> String {
        let path = NSTemporaryDirectory() + "quintet-\(UUID().uuidString)"
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        paths.append(path)
        return path
    }
}

@Suite struct ComputeThreadTests {
    private func weights(_ end: ComputeEnd?) -> [UInt8]? {
        if case .done(let result, _)? = end { result.outputs.first?.bytes } else { nil }
    }

    @Test func trainingThatWasInterruptedEndsWithTheSameBytes() throws {
        let undisturbed = ComputeBench()
        try undisturbed.start("train", "iterations=60")
        let expected = try #require(weights(undisturbed.waitForEnd()))
        #expect(undisturbed.metrics.map(\.iteration) == Array(1...60))

        var resume: (Int, [UInt8])?
        for round in 0..<3 {
            let bench = ComputeBench(threadCount: 1 + round), begin = resume?.0 ?? 0, gate = UUID().uuidString
            try bench.start(
                "train", "iterations=60 stepMilliseconds=2 gate=\(gate) gateAt=\(begin + 9)", resume: resume)
            bench.waitForIteration(UInt32(begin + 7))
            bench.thread.stop(bench.lease)
            if round == 1 { bench.thread.interruptStep(of: bench.lease) }
            Gates.open(gate)
            guard case .stopped(let iteration, let bytes)? = bench.waitForEnd() else {
                Issue.record("stopping left no checkpoint")
                return
            }
            #expect(iteration > begin)
            resume = (iteration, bytes)
        }
        let last = ComputeBench()
        try last.start("train", "iterations=60", resume: resume)
        #expect(weights(last.waitForEnd()) == expected)
        #expect(last.metrics.first?.iteration == UInt32(resume!.0 + 1))
    }

    @Test func aReplicasReportSaysHowLongItsTrainingWaitedForSamples() throws {
        let bench = ComputeBench()
        try bench.start("train", "iterations=4 waitingMilliseconds=250")
        let report = bench.wait { report -> String? in
            if case .ended(_, .done(let result, _)) = report { result.reportJSON } else { nil }
        }
        #expect(try #require(report).contains("\"waitingSeconds\":1.0"))
    }

    @Test func aCheckpointIsTakenWhileTrainingGoesOn() throws {
        let bench = ComputeBench()
        let gate = UUID().uuidString
        try bench.start("train", "iterations=200 stepMilliseconds=1 gate=\(gate)")
        bench.waitForIteration(10)
        bench.thread.takeCheckpoint(of: bench.lease)
        Gates.open(gate)
        let taken = try #require(bench.wait { report -> (Int, [UInt8])? in
            if case .checkpointTaken(_, let iteration, let bytes) = report { (iteration, bytes) } else { nil }
        })
        let expected = try #require(weights(bench.waitForEnd()))
        #expect((10..<200).contains(taken.0))

        let resumed = ComputeBench()
        try resumed.start("train", "iterations=200", resume: taken)
        #expect(weights(resumed.waitForEnd()) == expected)
    }

    @Test func cancelledWorkEndsSoonAndTheThreadTakesTheNext() throws {
        let bench = ComputeBench()
        try bench.start("train", "iterations=10 stepMilliseconds=10000")
        bench.thread.cancel(Lease(work: WorkID(9), epoch: 1))
        bench.thread.cancel(bench.lease)
        guard case .cancelled? = bench.waitForEnd() else {
            Issue.record("cancelled work did not say so")
            return
        }
        try bench.start("calibrate", "")
        let report = bench.wait { report -> String? in
            if case .ended(_, .done(let result, _)) = report { result.reportJSON } else { nil }
        }
        #expect(report == "{\"threshold\":11}")
    }

    @Test func aLongStepIsUndoneWhenTheWorkerCannotWait() throws {
        let bench = ComputeBench()
        try bench.start("train", "iterations=10 stepMilliseconds=60000")
        bench.thread.stop(bench.lease)
        bench.thread.interruptStep(of: bench.lease)
        guard case .stoppedWithNothing? = bench.waitForEnd() else {
            Issue.record("the step was not undone")
            return
        }
    }

    @Test func stoppingWhileTheDataIsPreparedKeepsNothing() throws {
        let bench = ComputeBench()
        try bench.start("train", "iterations=10 prepareMilliseconds=60000")
        bench.thread.stop(bench.lease)
        guard case .stoppedWithNothing? = bench.waitForEnd() else {
            Issue.record("preparing did not stop")
            return
        }
    }

    @Test func predictGivesOneOutputPerReplica() throws {
        let bench = ComputeBench()
        try bench.start("predict", "outputs=3")
        guard case .done(let result, _)? = bench.waitForEnd() else {
            Issue.record("no result")
            return
        }
        #expect(result.outputs.map(\.name) == ["votes-0", "votes-1", "votes-2"])
    }

    @Test(arguments: [("refuse", "inputRefused: case-7 has no lungs: give a mask"),
        ("fail", "failed: predict of fake: broken"),
        ("confused", "failed: the recipe fake stopped without being asked to"),
        ("outputs=132", "failed: 132 outputs; at most 131 are possible")])
    func anErrorSaysWhoseFaultItIs(_ parameters: String, _ expected: String) throws {
        let bench = ComputeBench()
        try bench.start("predict", parameters)
        switch bench.waitForEnd() {
        case .inputRefused(let message)?: #expect("inputRefused: " + message == expected)
        case .failed(let message)?: #expect("failed: " + message == expected)
        default: Issue.record("neither refused nor failed")
        }
    }

    @Test func aDamagedInputIsNotRead() throws {
        let bench = ComputeBench(isIntact: { blob, _ in blob != digest("ct") })
        try bench.start("predict", "")
        guard case .inputsDamaged(let damaged)? = bench.waitForEnd() else {
            Issue.record("a damaged input was read")
            return
        }
        #expect(damaged == [digest("ct")])
    }

    @Test func aDamagedCheckpointIsNotGoneOnFrom() throws {
        let bench = ComputeBench(isIntact: { blob, _ in blob != digest("state") })
        try bench.start("train", "", resume: (iteration: 4, bytes: [4, 4, 4]))
        guard case .inputsDamaged(let damaged)? = bench.waitForEnd() else {
            Issue.record("a damaged checkpoint was gone on from")
            return
        }
        #expect(damaged == [digest("state")])
    }

    @Test func anUnknownRecipeFailsByName() throws {
        let bench = ComputeBench()
        try bench.start("predict", "", recipe: "liver")
        guard case .failed(let message)? = bench.waitForEnd() else {
            Issue.record("an unknown recipe ran")
            return
        }
        #expect(message == "this worker does not know the recipe liver")
    }
}
