import Coordinator
import Protocol
import Worker

/// A worker's machine: a cache that outlives its processes, and the process, by the rules of WorkerShell.
struct Box {
    struct Running {
        let assignment: Assignment
        /// With the digests of the bytes that were really read.
        let read: WorkDescription
        var stepsLeft: Int
        let stepCount: Int
        /// Training only.
        var state: UInt64 = 0
        var iteration: UInt32 = 0
        var isStopped = false
        var isCancelled = false
    }

    var cache = SimulatedBlobs()
    var partitionedUntil: Int64 = 0
    /// Until then nothing that is computed there ends well.
    var brokenUntil: Int64 = 0
    /// 10: a tenth of the speed.
    var slowness: Int64 = 1

    // The process.
    var worker: WorkerState
    var clock: SimulatedClock
    var life = 0
    var isUp = false
    var wire: Int?
    var running: Running?
    var isCheckpointAsked = false
    var suspendedUntil: Int64 = 0
    var wakesAt: Int64 = .max
    /// Under a planted bug: outputs that were not uploaded.
    var oldOutputs: [Payload]?

    static func name(_ box: Int, life: Int, _ bug: PlantedBug?) -> WorkerName {
        // Under the planted bug all machines look like one to the scheduler.
        bug == .blamesAllMachines ? "lab:\(1_000 * (box + 1) + life)" : "lab\(box):\(life)"
    }

    static func box(ofWorker name: WorkerName) -> Int {
        let parts = name.dropFirst(3).split(separator: ":").map { Int($0)! }
        return parts.count == 1 ? parts[0] / 1_000 - 1 : parts[0]
    }

    init(worker: WorkerState, clock: SimulatedClock) {
        self.worker = worker
        self.clock = clock
    }
}

extension Simulation {
    func newborn(_ box: Int, life: Int) -> WorkerState {
        var settings = WorkerSettings(
            name: Box.name(box, life: life, bug), build: "simulated", threadCount: 1, device: "cpu",
            versionMin: VersionNegotiation.versionMin, versionMax: VersionNegotiation.versionMax,
            recipes: [SimulatedWork.recipe],
            arithmetic: ContentDigest(bytes: [UInt8](repeating: 7, count: 32)), cacheBytesMax: 1 << 20)
        settings.pieceBytes = 512
        return WorkerState(settings)
    }

    // MARK: - The process comes and goes

    func startWorker(_ box: Int) {
        guard !boxes[box].isUp else { return }
        boxes[box].isUp = true
        boxes[box].life += 1
        boxes[box].worker = newborn(box, life: boxes[box].life)
        boxes[box].clock = makeClock()
        boxes[box].suspendedUntil = 0
        say("worker \(boxes[box].worker.settings.name) starts")
        apply(.started, to: box)
    }

    func endWorker(_ box: Int, isPowerCut: Bool, pause: Int64) {
        say("worker \(boxes[box].worker.settings.name) ends")
        boxes[box].isUp = false
        boxes[box].running = nil
        boxes[box].wakesAt = .max
        boxes[box].oldOutputs = nil
        boxes[box].isCheckpointAsked = false
        boxes[box].cache.processEnded()
        if isPowerCut { boxes[box].cache.lostPower(&random) }
        if let wire = boxes[box].wire {
            if isPowerCut { wires[wire].isDead = true } else { workerHangsUp(wire) }
        }
        boxes[box].wire = nil
        queue.add(.workerStarts(box: box), at: now + (hasFaults ? pause : 100))
    }

    // MARK: - The shell

    private func isAlive(_ box: Int, _ life: Int) -> Bool { boxes[box].isUp && boxes[box].life == life }

    func upload(_ event: WorkerEvent, to box: Int, life: Int, connection: Int?) {
        guard isAlive(box, life) else { return }
        if boxes[box].suspendedUntil > now {
            return queue.add(
                .worker(box: box, life: life, connection: connection, event), at: boxes[box].suspendedUntil)
        }
        if let connection {
            guard boxes[box].wire == connection else { return }
            if case .disconnected = event { boxes[box].wire = nil }
        }
        apply(event, to: box)
    }

    func wake(_ box: Int, _ life: Int) {
        guard isAlive(box, life) else { return }
        if boxes[box].suspendedUntil > now {
            return queue.add(.workerWakes(box: box, life: life), at: boxes[box].suspendedUntil)
        }
        boxes[box].wakesAt = .max
        apply(.tick, to: box)
    }

    func apply(_ event: WorkerEvent, to box: Int) {
        var events = [event]
        let local = UInt64(boxes[box].clock.local(now))
        while !events.isEmpty, boxes[box].isUp {
            let event = events.removeFirst()
            let phases = boxes[box].worker.phases
            let actions = boxes[box].worker.apply(event, atMilliseconds: local)
            coverage.workerHears(event, from: phases, to: boxes[box].worker.phases)
            checkSlots(box)
            for action in actions { perform(action, box, &events) }
        }
        guard boxes[box].isUp, let wake = boxes[box].worker.wakeMilliseconds else { return }
        if wake <= local { promises.violate("worker \(box) wants to wake in the past") }
        let moment = max(now + 1, boxes[box].clock.moment(ofLocal: Int64(wake)))
        guard moment < boxes[box].wakesAt else { return }
        boxes[box].wakesAt = moment
        queue.add(.workerWakes(box: box, life: boxes[box].life), at: moment)
    }

    /// One piece of work is computed, one is fetched ahead of it (or again), and few results wait.
    private func checkSlots(_ box: Int) {
        let phases = boxes[box].worker.phases.works.values
        func count(_ names: Set<String>) -> Int { phases.count { names.contains($0) } }
        if count(["computing", "stopping"]) > 1 || count(["fetching"]) > 2
            || count(["computing", "stopping", "fetching"]) > 2
            || count(["uploading"]) > WorkerLimits.resultsWaitingMax
        {
            promises.violate("worker \(box) has \(Coverage.slots(boxes[box].worker.phases.works))")
        }
    }

    private func perform(_ action: WorkerAction, _ box: Int, _ events: inout [WorkerEvent]) {
        switch action {
        case .dial: dial(box)
        case .hangUp:
            if let wire = boxes[box].wire { workerHangsUp(wire) }
            boxes[box].wire = nil
        case .send(let message, let requestID):
            if case .heartbeat = message, bug == .neverRenews { return }
            if let wire = boxes[box].wire { sendUp(message, requestID, wire) }
        case .readShared(let digest, _, _): events.append(.sharedMissing(digest, "not simulated"))
        case .openBlob(let digest, let byteCount):
            events.append(held(digest) { () throws(SimulatedBlobs.Problem) in
                try boxes[box].cache.offer(digest, byteCount: byteCount)
            })
        case .storePiece(let digest, let offset, let bytes):
            if isFull(box) || fault(.cacheFull) { return events.append(.storageFull(digest, "the disk is full")) }
            if fault(.cacheFails) { return events.append(.storageFailed(digest, "an I/O error")) }
            events.append(held(digest) { () throws(SimulatedBlobs.Problem) in
                try boxes[box].cache.append(digest, offset: offset, bytes: bytes)
            })
        case .probeCache: events.append(.cacheProbed(isFull(box) ? "the disk is full" : nil))
        case .discardBlob(let digest): boxes[box].cache.remove(digest)
        case .compute(let assignment): compute(assignment, box, &events)
        case .takeCheckpoint(let lease):
            if boxes[box].running?.assignment.lease == lease { boxes[box].isCheckpointAsked = true }
        case .stopCompute(let lease):
            if boxes[box].running?.assignment.lease == lease { boxes[box].running!.isStopped = true }
        case .cancelCompute(let lease):
            if boxes[box].running?.assignment.lease == lease { boxes[box].running!.isCancelled = true }
        case .interruptStep, .prepareAhead: break
        case .log(let text), .problem(let text): say("\(boxes[box].worker.settings.name): \(text)")
        case .leave: endWorker(box, isPowerCut: false, pause: random.between(100, 30_000))
        }
    }

    private func isFull(_ box: Int) -> Bool { story.fullBox == box && now < Story.fullMilliseconds }

    private func held(
        _ digest: ContentDigest, _ body: () throws(SimulatedBlobs.Problem) -> UInt64
    ) -> WorkerEvent {
        do throws(SimulatedBlobs.Problem) {
            return .blobHeld(digest, byteCount: try body())
        } catch {
            return error == .damaged ? .blobDamaged(digest) : .storageFailed(digest, "\(error)")
        }
    }

    // MARK: - The compute thread

    private func compute(_ assignment: Assignment, _ box: Int, _ events: inout [WorkerEvent]) {
        if boxes[box].running != nil { promises.violate("\(assignment.lease) on a thread that is busy") }
        let blobs = assignment.description.inputs + (assignment.resume.map { [$0.blob] } ?? [])
        let damaged = blobs.map(\.digest).filter {
            bug == .trustsItsCache ? boxes[box].cache.byteCount(of: $0) == nil : !boxes[box].cache.isIntact($0)
        }
        guard damaged.isEmpty else { return events.append(.computeEnded(assignment.lease, .inputsDamaged(damaged))) }
        let request = story.requests.first { $0.isTraining == assignment.description.isTraining }!
        let count = SimulatedWork.stepCount(assignment.description, iterationCount: request.iterationCount)
        var read = assignment.description
        for index in read.inputs.indices {
            read.inputs[index].digest = simulatedDigest(boxes[box].cache.complete[read.inputs[index].digest]!)
        }
        var running = Box.Running(assignment: assignment, read: read, stepsLeft: count, stepCount: count)
        if assignment.description.step == "train" {
            running.state = SimulatedWork.state(
                seed: assignment.description.seed, replica: Int(assignment.description.replica), iteration: 0)
            if let resume = assignment.resume {
                (running.state, running.iteration) = SimulatedWork.resume(
                    boxes[box].cache.complete[resume.blob.digest]!)
            }
            let end = min(count, assignment.checkedUntil.map { Int($0) } ?? count)
            running.stepsLeft = end - min(Int(running.iteration), end)
            if box == story.lyingBox { running.state ^= 1 << 40 }
        }
        boxes[box].running = running
        boxes[box].isCheckpointAsked = false
        scheduleStep(box)
    }

    private func scheduleStep(_ box: Int) {
        let pause = SimulatedWork.stepMilliseconds * boxes[box].slowness
        queue.add(.workerSteps(box: box, life: boxes[box].life), at: now + pause)
    }

    func step(_ box: Int, _ life: Int) {
        guard isAlive(box, life), let running = boxes[box].running else { return }
        if boxes[box].suspendedUntil > now {
            return queue.add(.workerSteps(box: box, life: life), at: boxes[box].suspendedUntil)
        }
        let (lease, description) = (running.assignment.lease, running.assignment.description)
        if running.isCancelled { return end(lease, .cancelled, box) }
        if boxes[box].brokenUntil > now { return end(lease, .failed("this machine is broken"), box) }
        if fault(.computingFails) { return end(lease, .failed("out of memory"), box) }
        if description.inputs.contains(where: { $0.name == Story.brokenName }) {
            return end(lease, .inputRefused("\(Story.brokenName) cannot be read"), box)
        }
        if running.stepsLeft == 1, let name = description.inputs.last?.name {
            if name == Story.failingName { return end(lease, .failed(Promises.alwaysFails), box) }
            if name == Story.deadlyName {
                return endWorker(box, isPowerCut: false, pause: random.between(100, 20_000))
            }
        }
        if story.hangingBox == box, now < Story.fullMilliseconds { return scheduleStep(box) }
        if running.stepsLeft > 0 { advance(box) }
        guard let running = boxes[box].running else { return }  // what it said led to an end
        if running.isCancelled { return end(lease, .cancelled, box) }
        if running.isStopped {
            let isWorthKeeping = description.step == "train" && running.assignment.checkedUntil == nil
                && running.iteration > running.assignment.resume?.iteration ?? 0
            return end(lease, .stopped(isWorthKeeping ? checkpoint(running) : nil), box)
        }
        if running.stepsLeft == 0 { return end(lease, .done(outputs: outputs(running, box), reportJSON: "{}"), box) }
        if boxes[box].isCheckpointAsked, description.step == "train" {
            boxes[box].isCheckpointAsked = false
            apply(.checkpointTaken(lease, checkpoint(running)), to: box)
        }
        if isAlive(box, life) { scheduleStep(box) }
    }

    private func advance(_ box: Int) {
        boxes[box].running!.stepsLeft -= 1
        var metrics: [IterationFigures] = []
        if boxes[box].running!.assignment.description.step == "train" {
            boxes[box].running!.iteration += 1
            let iteration = boxes[box].running!.iteration
            boxes[box].running!.state = SimulatedWork.stepped(boxes[box].running!.state, iteration: iteration)
            metrics = [IterationFigures(iteration: iteration, ["loss": 1 / Double(iteration), "dice": 0.5,
                "seconds": 1])]
        }
        let running = boxes[box].running!
        let progress = LeaseProgress(
            lease: running.assignment.lease,
            fraction: Double(running.stepCount - running.stepsLeft) / Double(running.stepCount),
            iteration: running.iteration, note: "")
        apply(.progressed(progress, metrics), to: box)
    }

    private func end(_ lease: Lease, _ outcome: ComputeOutcome, _ box: Int) {
        if bug == .reportsOldResult, case .cancelled = outcome, let running = boxes[box].running {
            boxes[box].oldOutputs = outputs(running, box)
        }
        boxes[box].running = nil
        apply(.computeEnded(lease, outcome), to: box)
    }

    private func checkpoint(_ running: Box.Running) -> TakenCheckpoint {
        let bytes = SimulatedWork.checkpoint(state: running.state, iteration: running.iteration)
        return TakenCheckpoint(iteration: running.iteration, payload: payload("checkpoint", bytes))
    }

    private func outputs(_ running: Box.Running, _ box: Int) -> [Payload] {
        if let old = boxes[box].oldOutputs {
            boxes[box].oldOutputs = nil
            return old
        }
        if running.assignment.description.step == "train" {
            let request = story.requests.first(where: \.isTraining)!
            if let until = running.assignment.checkedUntil, until < request.iterationCount {
                return [checkpoint(running).payload]
            }
            return [payload("replica", SimulatedWork.weights(state: running.state))]
        }
        let voters = story.requests.first { !$0.isTraining }?.replicaCount ?? 0
        return SimulatedWork.outputs(running.read, voterCount: voters).map { output in
            var bytes = output.bytes
            if box == story.lyingBox { bytes[0] ^= 1 }
            return payload(output.role, bytes)
        }
    }

    private func payload(_ role: String, _ bytes: [UInt8]) -> Payload {
        Payload(reference: BlobReference(role: role, name: role, bytes: bytes), bytes: bytes)
    }

    /// - Returns: false where the cache is empty.
    func spoilCache(of box: Int, isEvicted: Bool) -> Bool {
        let digests = boxes[box].cache.complete.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
        guard let digest = digests.randomElement(&random) else { return false }
        if isEvicted { boxes[box].cache.remove(digest) } else { boxes[box].cache.rot(digest, at: &random) }
        return true
    }
}

extension WorkDescription {
    var isTraining: Bool { step == "train" || step == "calibrate" }
}

// MARK: - People

extension Simulation {
    /// Submits until it has heard an answer, and again what was refused or cancelled.
    func clientTurn() {
        queue.add(.client, at: now + (hasFaults ? 10_000 : 1_000))
        for run in coordinator.disk.committed.runs where run.request.isOpen && run.state == .running {
            queue.add(.coordinator(life: nil, .items(run.id)), at: now + random.below(200))
        }
        // A machine that is found out later has what it made asked for once more, which a simulated client does not.
        if story.lyingBox == nil {
            for run in coordinator.disk.committed.runs
            where !run.request.isTraining && collectRandom.happens(perMille: 300) {
                queue.add(.coordinator(life: nil, .collect(run.id)), at: now + collectRandom.below(200))
            }
        }
        for index in story.requests.indices {
            let run = coordinator.disk.committed.runs.first { $0.id == clientAcknowledged[index] }
            let isToTryAgain = run.map { run in
                run.state == .cancelled && (!hasFaults || random.happens(perMille: 300))
                    || run.state == .ended && !run.works.allSatisfy(promises.isWellEnded)
            }
            if isToTryAgain ?? true {
                queue.add(.coordinator(life: nil, .submit(index)), at: now + random.below(200))
            }
        }
    }
}
