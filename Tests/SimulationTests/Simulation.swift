import Coordinator
import Protocol
import Worker

/// A whole cluster in one thread: the real `CoordinatorCore` over the real `Store`, several real `WorkerState`s, and
/// between them a simulated clock, network, disk and recipe. A seed decides everything, so that a failure can be told
/// again. The shells here do what CoordinatorServer and WorkerShell do, in a world where everything goes wrong;
/// `Promises` looks on.
final class Simulation {
    enum Event {
        case worker(box: Int, life: Int, connection: Int?, WorkerEvent)
        case workerWakes(box: Int, life: Int)
        case workerSteps(box: Int, life: Int)
        case workerStarts(box: Int)
        case coordinator(life: Int?, CoordinatorInput)
        case coordinatorTurn(life: Int)
        case coordinatorCommits(life: Int, turn: UInt64)
        case coordinatorStarts
        case standbyFollows(life: Int)
        case standbyHears(life: Int, connection: Int, index: Int, number: UInt64)
        case client
        case episode
        case heal(box: Int)
    }

    let story: Story
    let bug: PlantedBug?
    var random: SimulationRandom
    /// A sequence of its own: stories without a standby stay what they are.
    var standbyRandom: SimulationRandom
    /// What a client collects, apart from everything else, so that a seed's story stays what it was.
    var collectRandom: SimulationRandom
    var promotionCount = 0
    var now: Int64 = 0
    var hasFaults = true
    var queue = EventQueue<Event>()
    var wires: [Wire] = []
    let coordinator: CoordinatorMachine
    var boxes: [Box] = []
    var clientAcknowledged: [RunID?]
    var promises: Promises
    var coverage = Coverage()
    var faultCounts = [Int](repeating: 0, count: FaultKind.allCases.count)
    var eventCount = 0
    /// Folded from everything that happens: equal for equal stories.
    var fingerprint: UInt64 = 0
    /// Lines of the story; filled when asked for.
    var trace: [String]?
    /// When everything had ended; nil while something is left.
    private(set) var endedAt: Int64?

    convenience init(seed: UInt64, bug: PlantedBug? = nil, isTraced: Bool = false) throws {
        try self.init(Story(seed: seed), seed: seed, bug: bug, isTraced: isTraced)
    }

    init(_ story: Story, seed: UInt64, bug: PlantedBug? = nil, isTraced: Bool = false) throws {
        self.story = story
        self.bug = bug
        random = SimulationRandom(seed: seed)
        trace = isTraced ? [] : nil
        promises = Promises(story: story)
        clientAcknowledged = Array(repeating: nil, count: story.requests.count)
        standbyRandom = SimulationRandom(seed: seed &+ 0x57B)
        collectRandom = SimulationRandom(seed: seed &+ 0xC011)
        coordinator = try CoordinatorMachine(story: story, bug: bug)
        if story.hasStandby, bug == nil || bug!.isOfStandby { try startStandby() }
        coordinator.clock = makeClock()
        coordinator.lastLocal = coordinator.clock.local(0)
        for index in 0..<story.workerCount {
            boxes.append(Box(worker: newborn(index, life: 0), clock: makeClock()))
            boxes[index].slowness = story.slowness(of: index)
            queue.add(.workerStarts(box: index), at: random.below(3_000))
        }
        queue.add(.coordinatorStarts, at: random.below(1_000))
        queue.add(.client, at: 500)
        queue.add(.episode, at: 3_000)
    }

    func makeClock() -> SimulatedClock {
        let isSkewed = fault(.clockSkew)
        return SimulatedClock(
            offset: random.below(1_000_000), partsPerThousand: isSkewed ? random.between(930, 1_070) : 1_000)
    }

    // MARK: - Faults

    /// Whether a momentary fault strikes now.
    func fault(_ kind: FaultKind) -> Bool {
        guard hasFaults else { return false }
        let perMille = story.perMille[kind.index]
        guard perMille > 0, random.happens(perMille: perMille) else { return false }
        count(kind)
        return true
    }

    func count(_ kind: FaultKind) {
        faultCounts[kind.index] += 1
        say("fault: \(kind.rawValue)")
    }

    func say(_ text: @autoclosure () -> String) {
        if trace != nil { trace!.append("\(now) \(text())") }
    }

    func fold(_ value: UInt64) { fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3 ^ fingerprint >> 31 }

    // MARK: - The story

    /// Faults for a while, then none, until everything has ended or the time is up.
    func tell() {
        let limit = story.faultsEnd + livenessMilliseconds
        while endedAt == nil, let (time, event) = queue.next() {
            guard time <= limit else { break }
            now = max(now, time)
            if hasFaults, now >= story.faultsEnd { endFaults() }
            eventCount += 1
            fold(UInt64(bitPattern: now))
            happen(event)
            promises.check(coordinator, at: now)
            if !hasFaults, everythingHasEnded { endedAt = now }
        }
        if endedAt == nil {
            promises.violate("work is left \(livenessMilliseconds) ms after the last fault: \(situation)")
        }
        promises.checkEnd(coordinator)
    }

    /// Three leases and the work, all of it again.
    var livenessMilliseconds: Int64 {
        3 * Story.leaseMilliseconds + story.serialMilliseconds + story.hopelessMilliseconds
    }

    private func happen(_ event: Event) {
        switch event {
        case .worker(let box, let life, let connection, let workerEvent):
            upload(workerEvent, to: box, life: life, connection: connection)
        case .workerWakes(let box, let life): wake(box, life)
        case .workerSteps(let box, let life): step(box, life)
        case .workerStarts(let box): startWorker(box)
        case .coordinator(let life, let input): coordinatorHears(input, life)
        case .coordinatorTurn(let life): coordinatorTurn(life)
        case .coordinatorCommits(let life, let turn): coordinatorCommits(life, turn)
        case .coordinatorStarts: startCoordinator()
        case .standbyFollows(let life): standbyFollows(life)
        case .standbyHears(let life, let connection, let index, let number):
            standbyHears(life, connection, index, number)
        case .client: clientTurn()
        case .episode: if hasFaults { strike() }
        case .heal(let box): boxes[box].partitionedUntil = 0
        }
    }

    private var everythingHasEnded: Bool {
        let runs = coordinator.disk.committed.runs
        return runs.count == story.requests.count && runs.allSatisfy { $0.state == .ended && !$0.request.isOpen }
            && runs.reduce(0) { $0 + $1.request.items.count } == story.requests.reduce(0) { $0 + $1.items.count }
            && coordinator.disk.committed.allWorks.allSatisfy(promises.isWellEnded)
    }

    /// For a failing seed's message.
    var situation: String {
        let works = coordinator.disk.committed.allWorks.filter { !promises.isWellEnded($0) }
            .map { "\($0.id) \($0.label) \($0.state) epoch \($0.epoch)" }
        let workers = boxes.map { "\($0.worker.settings.name): \($0.worker.situation)" }
        let checks = coordinator.core?.scheduler.checks.checks.values.map { check in
            let machines = check.opinions.map(\.worker).joined(separator: " "), lease = check.lease?.worker ?? "nobody"
            return "\(check.id) on \(check.work) of \(machines), with \(lease)"
        }
        return (works + (checks ?? []).sorted() + workers).joined(separator: "; ")
    }

    // MARK: - Episodes

    private func strike() {
        queue.add(.episode, at: now + random.between(500, 2 * story.episodePauseMilliseconds))
        let kind = story.episodes[Int(random.below(Int64(story.episodes.count)))]
        let box = Int(random.below(Int64(boxes.count)))
        guard begin(kind, box) else { return }
        count(kind)
    }

    /// - Returns: false where there is nothing for it to strike.
    private func begin(_ kind: FaultKind, _ box: Int) -> Bool {
        switch kind {
        case .connectionCut:
            guard let wire = boxes[box].wire else { return false }
            cut(wire)
        case .partition: partition(box)
        case .deafCoordinator, .deafWorker:
            guard let wire = boxes[box].wire else { return false }
            if kind == .deafCoordinator { wires[wire].losesUp = true } else { wires[wire].losesDown = true }
        case .coordinatorKilled, .coordinatorPowerCut:
            guard coordinator.isRunning else { return false }
            endCoordinator(isPowerCut: kind == .coordinatorPowerCut)
        case .coordinatorSuspended:
            guard coordinator.isRunning else { return false }
            coordinator.suspendedUntil = now + random.between(5_000, 90_000)
        case .blobRots: return rotABlob()
        case .workerKilled, .workerPowerCut:
            guard boxes[box].isUp else { return false }
            endWorker(box, isPowerCut: kind == .workerPowerCut, pause: random.between(100, 20_000))
        case .workerSuspended: boxes[box].suspendedUntil = now + random.between(1_000, 80_000)
        case .workerSlow:
            boxes[box].slowness = random.between(2, 12)
        case .machineBroken: boxes[box].brokenUntil = now + random.between(10_000, 100_000)
        case .workerLeaves:
            guard boxes[box].isUp else { return false }
            apply(.drainRequested, to: box)
        case .cacheRots, .cacheEvicted: return spoilCache(of: box, isEvicted: kind == .cacheEvicted)
        case .runCancelled:
            guard let run = clientAcknowledged.compactMap({ $0 }).randomElement(&random) else { return false }
            queue.add(.coordinator(life: nil, .cancel(run)), at: now + random.below(100))
        case .runForgotten:
            let ended = coordinator.disk.committed.runs.filter { $0.state != .running }
            guard let run = ended.randomElement(&random) else { return false }
            queue.add(.coordinator(life: nil, .forget(run.id)), at: now + random.below(100))
        case .runPaused:
            guard let run = coordinator.disk.committed.runs.randomElement(&random) else { return false }
            queue.add(.coordinator(life: nil, .pause(run.id)), at: now + random.below(100))
            queue.add(.coordinator(life: nil, .resume(run.id)), at: now + random.between(1_000, 40_000))
        case .runPrioritised:
            guard let run = coordinator.disk.committed.runs.randomElement(&random) else { return false }
            let priority = Int32(random.between(-1, 1))
            queue.add(.coordinator(life: nil, .prioritise(run.id, priority)), at: now + random.below(100))
        case .workerDrained:
            guard boxes[box].isUp else { return false }
            queue.add(.coordinator(life: nil, .drain(boxes[box].worker.settings.name)), at: now + random.below(100))
        case .runSubmittedTwice:
            let index = Int(random.below(Int64(story.requests.count)))
            queue.add(.coordinator(life: nil, .submit(index)), at: now + random.below(100))
        default: preconditionFailure("\(kind) is no episode")
        }
        return true
    }

    /// Or up to three at once: what spoils one may spoil its neighbours.
    private func rotABlob() -> Bool {
        (0..<random.between(1, 3)).count { _ in rotOne() } > 0
    }

    private func rotOne() -> Bool {
        let candidates = promises.blobsThatMayRot(coordinator.disk.committed).filter {
            coordinator.blobs.byteCount(of: $0) != nil
        }
        guard let digest = candidates.randomElement(&random) else { return false }
        coordinator.blobs.rot(digest, at: &random)
        promises.rotten.insert(digest)
        return true
    }

    /// From now on the world is as it should be. What was lost stays lost.
    private func endFaults() {
        hasFaults = false
        say("no more faults")
        coordinator.suspendedUntil = 0
        if !coordinator.isRunning { queue.add(.coordinatorStarts, at: now + 100) }
        if coordinator.isRunning { queue.add(.coordinatorTurn(life: coordinator.life), at: now) }
        // People do not forget what they have paused, and say it until it is heard.
        for delay in stride(from: Int64(0), through: 60_000, by: 2_000) {
            for run in coordinator.disk.committed.runs {
                queue.add(.coordinator(life: nil, .resume(run.id)), at: now + 200 + delay)
            }
        }
        for box in boxes.indices {
            boxes[box].suspendedUntil = 0
            boxes[box].brokenUntil = 0
            boxes[box].slowness = story.slowness(of: box)
            boxes[box].partitionedUntil = 0
            if !boxes[box].isUp { queue.add(.workerStarts(box: box), at: now + 100) }
        }
        for index in wires.indices {
            wires[index].heldUntil = 0
            wires[index].losesUp = false
            wires[index].losesDown = false
        }
    }
}

extension Array {
    func randomElement(_ random: inout SimulationRandom) -> Element? {
        isEmpty ? nil : self[Int(random.below(Int64(count)))]
    }
}
