import Protocol
import Testing
import Worker

/// Several `WorkerState`s against a model coordinator, on a simulated clock, network, cache and compute thread.
/// Everything that can go wrong outside does, by one seed.
struct WorkerSimulation {
    private struct Running {
        let assignment: Assignment
        let state: UInt32
        var iteration: UInt32
        var wish: Wish = .none
    }

    private enum Wish { case none, cancel, stop }

    private struct Box {
        var worker: WorkerState
        var life = 0
        /// Number of the connection, 0: none; messages of older ones are dropped.
        var connection = 0
        var cache: [ContentDigest: [UInt8]] = [:]
        var running: Running?
        var checkpointAsked = false
        var suspendedUntil: UInt64 = 0
        var exit: WorkerExit?
        var lastDelivery: (toWorker: UInt64, toCoordinator: UInt64) = (0, 0)
    }

    private enum Occurrence {
        case toWorker(WorkerEvent, connection: Int)
        case toCoordinator(Message, RequestID, connection: Int)
        case step
        case wake
    }

    private struct Entry {
        let time: UInt64
        let order: UInt64
        let box: Int
        let life: Int
        let occurrence: Occurrence
    }

    var coordinator: ModelCoordinator
    private var random: SimulationRandom
    private var boxes: [Box]
    private var queue: [Entry] = []
    private var order: UInt64 = 0
    private var now: UInt64 = 0
    private let faultsEnd: UInt64
    private(set) var faultCount = 0

    init(seed: UInt64, workerCount: Int, faultsEnd: UInt64) {
        random = SimulationRandom(seed: seed)
        coordinator = ModelCoordinator(pieceCount: 4, iterationCount: 150, inputBytes: 600_000)
        self.faultsEnd = faultsEnd
        boxes = (0..<workerCount).map { Box(worker: Self.newborn($0, life: 0)) }
        for index in boxes.indices { post(.started, to: index, after: 0) }
    }

    private static func newborn(_ index: Int, life: Int) -> WorkerState {
        WorkerState(WorkerSettings(
            name: "lab\(index):\(life)", build: "test", threadCount: 1, device: "cpu", versionMin: 1, versionMax: 1,
            recipes: ["fake"], cacheBytesMax: 1 << 30))
    }

    private mutating func post(_ event: WorkerEvent, to box: Int, after delay: UInt64) {
        add(.toWorker(event, connection: -1), to: box, at: now + delay)
    }

    private mutating func add(_ occurrence: Occurrence, to box: Int, at time: UInt64) {
        order += 1
        queue.append(Entry(time: time, order: order, box: box, life: boxes[box].life, occurrence: occurrence))
    }

    /// - Returns: the time at which everything was done; nil when it was not in time.
    mutating func run(until end: UInt64) -> UInt64? {
        while let index = queue.indices.min(by: {
            (queue[$0].time, queue[$0].order) < (queue[$1].time, queue[$1].order)
        }) {
            guard queue[index].time <= end else { return nil }
            let entry = queue.remove(at: index)
            now = max(now, entry.time)
            if now < faultsEnd, random.chance(perMille: 6) { fault() }
            happen(entry)
            if coordinator.isDone, now >= faultsEnd { return now }
        }
        return nil
    }

    private mutating func happen(_ entry: Entry) {
        guard boxes[entry.box].life == entry.life, boxes[entry.box].exit == nil else { return }
        if case .toCoordinator(let message, let requestID, let connection) = entry.occurrence {
            if boxes[entry.box].connection == connection { serve(message, requestID, entry.box, connection) }
            return
        }
        if boxes[entry.box].suspendedUntil > now {
            return add(entry.occurrence, to: entry.box, at: boxes[entry.box].suspendedUntil)
        }
        switch entry.occurrence {
        case .toWorker(let event, let connection):
            if connection == -1 || boxes[entry.box].connection == connection { apply(event, to: entry.box) }
        case .step: step(entry.box)
        case .wake: apply(.tick, to: entry.box)
        case .toCoordinator: break
        }
    }

    // MARK: The shell of a worker

    private mutating func apply(_ event: WorkerEvent, to box: Int) {
        var events = [event]
        while !events.isEmpty {
            let actions = boxes[box].worker.apply(events.removeFirst(), atMilliseconds: now)
            for action in actions { perform(action, box, &events) }
        }
        guard let wake = boxes[box].worker.wakeMilliseconds else { return }
        if wake <= now { coordinator.violations.append("a worker wants to wake in the past") }
        add(.wake, to: box, at: max(wake, now + 1))
    }

    private mutating func perform(_ action: WorkerAction, _ box: Int, _ events: inout [WorkerEvent]) {
        switch action {
        case .dial:
            boxes[box].connection = Int(order) + 1
            let isReachable = now >= faultsEnd || !random.chance(perMille: 200)
            let delay = 1 + random.below(20)
            add(.toWorker(isReachable ? .connected : .disconnected("refused"), connection: boxes[box].connection),
                to: box, at: now + delay)
        case .hangUp: boxes[box].connection = 0
        case .send(let message, let requestID):
            let time = max(now + 1 + random.below(30), boxes[box].lastDelivery.toCoordinator)
            boxes[box].lastDelivery.toCoordinator = time
            add(.toCoordinator(message, requestID, connection: boxes[box].connection), to: box, at: time)
        case .openBlob(let digest, let byteCount): events.append(held(digest, byteCount, box))
        case .storePiece(let digest, let offset, let bytes):
            if now < faultsEnd, random.chance(perMille: 20) {
                return events.append(
                    random.chance(perMille: 500)
                        ? .storageFull(digest, "the disk is full") : .storageFailed(digest, "an I/O error"))
            }
            precondition(boxes[box].cache[digest, default: []].count == Int(offset), "a piece leaves a gap")
            boxes[box].cache[digest, default: []] += bytes
            let size = coordinator.blobs[digest]!.count
            events.append(held(digest, UInt64(size), box))
        case .discardBlob(let digest): boxes[box].cache[digest] = nil
        case .compute(let assignment): compute(assignment, box)
        case .takeCheckpoint: boxes[box].checkpointAsked = true
        case .stopCompute: boxes[box].running?.wish = .stop
        case .cancelCompute: boxes[box].running?.wish = .cancel
        case .interruptStep, .log: break
        case .leave(let exit): boxes[box].exit = exit
        }
    }

    private mutating func held(_ digest: ContentDigest, _ byteCount: UInt64, _ box: Int) -> WorkerEvent {
        let bytes = boxes[box].cache[digest] ?? []
        if UInt64(bytes.count) == byteCount, simulatedDigest(bytes) != digest {
            boxes[box].cache[digest] = nil
            return .blobDamaged(digest)
        }
        return .blobHeld(digest, byteCount: UInt64(bytes.count))
    }

    private mutating func compute(_ assignment: Assignment, _ box: Int) {
        precondition(boxes[box].running == nil, "two pieces of work on one thread")
        boxes[box].checkpointAsked = false
        for blob in assignment.description.inputs + (assignment.resume.map { [$0.blob] } ?? []) {
            precondition(boxes[box].cache[blob.digest]?.count == Int(blob.byteCount), "an input is missing")
        }
        let iteration = assignment.resume?.iteration ?? 0
        boxes[box].running = Running(assignment: assignment, state: iteration, iteration: iteration)
        add(.step, to: box, at: now + 50)
    }

    private mutating func step(_ box: Int) {
        guard var running = boxes[box].running else { return }
        let (lease, work) = (running.assignment.lease, running.assignment.lease.work.value)
        func payload(_ role: String) -> Payload {
            let bytes = simulatedState(work: work, iteration: running.iteration)
            return Payload(reference: reference(role, bytes), bytes: bytes)
        }
        func end(_ outcome: ComputeOutcome, _ simulation: inout Self) {
            simulation.boxes[box].running = nil
            simulation.apply(.computeEnded(lease, outcome), to: box)
        }
        if running.wish == .cancel { return end(.cancelled, &self) }
        if now < faultsEnd, random.chance(perMille: 10) { return end(.failed("out of memory"), &self) }
        if running.iteration < coordinator.iterationCount {
            running.iteration += 1
            boxes[box].running = running
            let metric = TrainingMetric(iteration: running.iteration, loss: 1, dice: 0, seconds: 0.05)
            let progress = LeaseProgress(lease: lease, fraction: 0, iteration: running.iteration, note: "")
            apply(.progressed(progress, [metric]), to: box)
        }
        if running.wish == .stop {
            let taken = TakenCheckpoint(iteration: running.iteration, payload: payload("checkpoint"))
            return end(.stopped(taken), &self)
        }
        if running.iteration >= coordinator.iterationCount {
            return end(.done(outputs: [payload("replica")], reportJSON: "{}"), &self)
        }
        if boxes[box].checkpointAsked {
            boxes[box].checkpointAsked = false
            let taken = TakenCheckpoint(iteration: running.iteration, payload: payload("checkpoint"))
            apply(.checkpointTaken(lease, taken), to: box)
        }
        add(.step, to: box, at: now + 20 + random.below(60))
    }

    // MARK: The coordinator's end

    private mutating func serve(_ message: Message, _ requestID: RequestID, _ box: Int, _ connection: Int) {
        var answers = coordinator.answer(message, from: boxes[box].worker.settings.name, at: now)
        if now < faultsEnd, random.chance(perMille: 15), !answers.isEmpty, requestID != 0 {
            let codes: [RefusalCode] = [.diskFull, .internalError, .unknown, .damaged]
            if case .hello = message {} else if case .blobOffset? = answers.first {
                answers = [.refusal(Refusal(code: codes[Int(random.below(4))], message: "a fault"))]
            }
        }
        for answer in answers {
            let time = max(now + 1 + random.below(30), boxes[box].lastDelivery.toWorker)
            boxes[box].lastDelivery.toWorker = time
            add(.toWorker(.received(answer, requestID: requestID), connection: connection), to: box, at: time)
        }
    }

    private mutating func fault() {
        faultCount += 1
        let box = Int(random.below(UInt64(boxes.count)))
        switch random.below(10) {
        case 0...4 where boxes[box].connection != 0:
            // Messages on their way are lost; the worker notices some time later.
            let broken = boxes[box].connection
            boxes[box].connection = broken + 1_000_000
            add(.toWorker(.disconnected("cut"), connection: broken + 1_000_000), to: box, at: now + random.below(8_000))
        case 5...6: boxes[box].suspendedUntil = now + random.below(10_000)
        case 7: bear(box)
        case 8:
            if let digest = boxes[box].cache.keys.first, boxes[box].running == nil {
                boxes[box].cache[digest]?.withUnsafeMutableBufferPointer { $0[0] ^= 1 }
            }
        default: apply(.drainRequested, to: box)
        }
        if boxes[box].exit != nil { bear(box) }
    }

    /// Killed; another process begins in its place, with what is left of the cache.
    private mutating func bear(_ box: Int) {
        let life = boxes[box].life + 1
        var cache = boxes[box].cache
        if random.chance(perMille: 500) { cache = [:] }
        boxes[box] = Box(worker: Self.newborn(box, life: life), life: life, cache: cache)
        post(.started, to: box, after: random.below(500))
    }

    /// For a failing seed's message.
    var situation: String {
        let workers = boxes.map { box in
            "\(box.worker.settings.name): \(box.worker.situation), exit \(box.exit.map { "\($0)" } ?? "none")"
        }
        return (workers + coordinator.pieces.map { "\($0)" }).joined(separator: "\n")
    }

    /// Workers that left while faults went on are replaced, so that the rest can be done.
    mutating func reviveAll() {
        for box in boxes.indices where boxes[box].exit != nil { bear(box) }
    }
}

@Suite struct WorkerSimulationTests {
    /// Cut connections, suspended and killed workers, drains, full disks, damage: while they last nothing false is
    /// said, and after they end all work is done, with the right bytes and every figure.
    @Test(arguments: 0..<100) func workersSurviveEveryFault(_ seed: Int) {
        var simulation = WorkerSimulation(seed: UInt64(seed), workerCount: 3, faultsEnd: 30_000)
        var end = simulation.run(until: 30_000)
        if end == nil {
            simulation.reviveAll()
            end = simulation.run(until: 150_000)
        }
        #expect(simulation.coordinator.violations == [], "seed \(seed)")
        #expect(end != nil, "seed \(seed): work is left\n\(simulation.situation)")
        #expect(simulation.coordinator.acceptedCount == 4, "seed \(seed)")
    }
}
