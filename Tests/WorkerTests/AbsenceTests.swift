import Protocol
import Testing
import Worker

/// On a simulated clock: what a coordinator's absence and a hanging computation do to a worker.
@Suite struct AbsenceTests {
    private static let lease = Lease(work: WorkID(7), epoch: 3)

    /// A worker that trains, its clock, and what it has asked for since it began.
    private struct Bench {
        var state: WorkerState
        var now: UInt64 = 0
        var iteration: UInt32 = 0
        var actions: [WorkerAction] = []
        private var dialled = false

        init(leaseMilliseconds: UInt32, progressMilliseconds: UInt64 = WorkerLimits.progressMilliseconds) {
            state = WorkerState(WorkerSettings(
                name: "lab:1", build: "test", threadCount: 1, device: "cpu", versionMin: 4, versionMax: 4,
                recipes: ["chain"], arithmetic: ContentDigest(bytes: [UInt8](repeating: 7, count: 32)),
                cacheBytesMax: 1 << 30, progressMilliseconds: progressMilliseconds))
            apply(.started)
            welcome(leaseMilliseconds)
            let description = WorkDescription(
                run: RunID(1), recipe: "chain", step: "train", kind: .session, replica: 0, seed: 1, parameters: "",
                inputs: [])
            apply(.received(
                .assignment(Assignment(
                    lease: AbsenceTests.lease, description: description, resume: nil, checkpointSeconds: 60)),
                requestID: 0))
        }

        mutating func apply(_ event: WorkerEvent) {
            let new = state.apply(event, atMilliseconds: now)
            if new.contains(where: { if case .dial = $0 { true } else { false } }) { dialled = true }
            actions += new
        }

        mutating func welcome(_ leaseMilliseconds: UInt32) {
            dialled = false
            apply(.connected)
            let hello = actions.compactMap { action -> RequestID? in
                if case .send(.hello, let requestID) = action { requestID } else { nil }
            }.last!
            apply(.received(
                .welcome(Welcome(
                    version: 4, build: "test", heartbeatMilliseconds: leaseMilliseconds / 6,
                    leaseMilliseconds: leaseMilliseconds)), requestID: hello))
        }

        /// One second: an iteration, a checkpoint where one is asked for, and no answer to who dials.
        mutating func train() {
            now += 1_000
            iteration += 1
            let progress = LeaseProgress(
                lease: AbsenceTests.lease, fraction: 0.1, iteration: iteration, note: "")
            let metric = IterationFigures(iteration: iteration, ["loss": 1, "dice": 0.5, "seconds": 1])
            let known = actions.count
            apply(.progressed(progress, [metric]))
            pass()
            if actions[known...].contains(.takeCheckpoint(AbsenceTests.lease)) {
                let name = Array("at \(iteration)".utf8)
                let digest = ContentDigest(bytes: name + [UInt8](repeating: 0, count: 32 - name.count))
                let reference = BlobReference(role: "checkpoint", name: "c", digest: digest, byteCount: 3)
                apply(.checkpointTaken(
                    AbsenceTests.lease,
                    TakenCheckpoint(iteration: iteration, payload: Payload(reference: reference, bytes: [1, 2, 3]))))
            }
        }

        /// Time passes; nobody is there.
        mutating func pass() {
            apply(.tick)
            if dialled {
                dialled = false
                apply(.disconnected("refused"))
            }
        }

        func count(_ isWanted: (WorkerAction) -> Bool) -> Int { actions.count(where: isWanted) }
    }

    private func touchesTheThread(_ action: WorkerAction) -> Bool {
        switch action {
        case .stopCompute, .interruptStep, .cancelCompute, .compute, .leave: true
        default: false
        }
    }

    @Test func tenMinutesWithoutACoordinatorCostNoTrainingTime() {
        var bench = Bench(leaseMilliseconds: 30_000)
        for _ in 0..<30 { bench.train() }
        bench.apply(.disconnected("the peer closed the connection"))
        bench.actions = []
        for _ in 0..<600 { bench.train() }
        #expect(bench.count(touchesTheThread) == 0)
        #expect(bench.count { $0 == .takeCheckpoint(Self.lease) } == 10)
        let dials = bench.count { if case .dial = $0 { true } else { false } }
        #expect((30...80).contains(dials), "\(dials) attempts in ten minutes")
        // Back: within a lease's time it says what it holds, and uploads the newest checkpoint and every figure.
        bench.actions = []
        var waited = 0
        while !bench.actions.contains(where: { if case .dial = $0 { true } else { false } }) {
            bench.now += 1_000
            waited += 1
            bench.apply(.tick)
        }
        #expect(waited < 30)
        bench.welcome(30_000)
        let held = bench.actions.compactMap { action -> [Lease]? in
            if case .send(.hello(let hello), _) = action { hello.held } else { nil }
        }
        #expect(held == [[Self.lease]])
        upload(&bench)
    }

    private func upload(_ bench: inout Bench) {
        var figures: [UInt32] = []
        for _ in 0..<10 {
            guard let (message, requestID) = bench.actions.compactMap({ action -> (Message, RequestID)? in
                if case .send(let message, let requestID) = action { (message, requestID) } else { nil }
            }).last(where: { message, _ in
                switch message {
                case .blobOffer, .blobPut, .checkpointSaved: true
                default: false
                }
            }) else { break }
            switch message {
            case .blobOffer(let digest, _): answer(.blobOffset(digest, offset: 0), requestID)
            case .blobPut(let digest, _, let bytes): answer(.blobOffset(digest, offset: UInt64(bytes.count)), requestID)
            case .checkpointSaved(_, let checkpoint, let metrics):
                figures += metrics.map(\.iteration)
                #expect(checkpoint.iteration > 600 - 60)
                answer(.accepted, requestID)
            default: break
            }
        }
        func answer(_ message: Message, _ requestID: RequestID) {
            bench.actions = []
            bench.apply(.received(message, requestID: requestID))
        }
        #expect(figures == Array(1...UInt32(figures.count)) && figures.count > 540)
    }

    /// A coordinator that starts again waits one lease for those who hold its work: they must not come later, however
    /// long it was away, or another worker would begin again at the last checkpoint that it knows.
    @Test(arguments: [1_000, 2_000, 10_000, 30_000] as [UInt32])
    func afterALongAbsenceAWorkerIsBackWithinALease(leaseMilliseconds: UInt32) {
        var bench = Bench(leaseMilliseconds: leaseMilliseconds)
        bench.apply(.disconnected("killed"))
        var lastDial: UInt64 = 0, longestPause: UInt64 = 0
        for _ in 0..<60_000 {
            bench.now += 10
            let known = bench.actions.count
            bench.pass()
            if bench.actions[known...].contains(where: { if case .dial = $0 { true } else { false } }) {
                longestPause = max(longestPause, bench.now - lastDial)
                lastDial = bench.now
            }
        }
        #expect(longestPause < UInt64(leaseMilliseconds) * 2 / 3)
    }

    @Test func aComputationThatHangsIsGivenBackThoughTheWorkerIsAlive() {
        var bench = Bench(leaseMilliseconds: 1_000_000, progressMilliseconds: 60_000)
        for _ in 0..<100 { bench.train() }
        bench.actions = []
        bench.now += 59_000
        bench.apply(.tick)
        #expect(bench.count(touchesTheThread) == 0)
        bench.now += 1_000
        bench.apply(.tick)
        #expect(bench.actions.contains(.cancelCompute(Self.lease)))
        let surrender = bench.actions.compactMap { action -> (String, RequestID)? in
            if case .send(.surrender(Self.lease, .failed, let text), let requestID) = action {
                (text, requestID)
            } else { nil }
        }.first
        #expect(surrender?.0.contains("no progress for 60 s") == true)
        // It asks for nothing while the thread hangs, and goes on when it does not any more.
        bench.apply(.received(.accepted, requestID: surrender?.1 ?? 0))
        bench.actions = []
        for _ in 0..<100 {
            bench.now += 1_000
            bench.apply(.tick)
        }
        func isIdle(_ action: WorkerAction) -> Bool { if case .send(.idle, _) = action { true } else { false } }
        #expect(bench.count(isIdle) == 0)
        bench.apply(.computeEnded(Self.lease, .cancelled))
        #expect(bench.count(isIdle) == 1)
    }
}
