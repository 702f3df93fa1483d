import Coordinator
import Protocol
import Worker

/// The coordinator's machine: a disk that outlives its processes, and the process, by the rules of CoordinatorCore.
struct CoordinatorMachine {
    enum Outgoing {
        case send(Message, RequestID, wire: Int, Promise?)
        case close(Int)
        case blob(Message, RequestID, wire: Int)
        case vote(WorkID, [BlobReference])
        case verify(WorkID, [BlobReference])
        case tellClient(Int, Message)
    }

    /// What an acknowledgement promises.
    enum Promise {
        case checkpoint(Lease, UInt32)
        case result(WorkResult)
    }

    struct Peer {
        var name: WorkerName?
        var access = LeaseAccess()
        var isReplaced = false
        var isClosing = false
        var heard: Int64
        let accepted: Int64
    }

    // The disk.
    var store = SimulatedStore()
    /// What a power cut would leave.
    var syncedStore = SimulatedStore()
    var blobs = SimulatedBlobs()

    // The process.
    var isRunning = false
    var life = 0
    var clock = SimulatedClock(offset: 0, partsPerThousand: 1_000)
    var lastLocal: Int64 = 0
    var scheduler: Scheduler
    var peers: [Int: Peer] = [:]
    var workerWires: [WorkerName: Int] = [:]
    var inbox: [CoordinatorInput] = []
    var turnAt: Int64 = .max
    var blobThreadFreeAt: Int64 = 0
    var suspendedUntil: Int64 = 0
    var changes: [StoreChange] = []
    var outgoing: [Outgoing] = []
    var discarded: [ContentDigest] = []
    /// Blobs that nothing refers to any more and that somebody may still be fetching.
    var retained: Set<ContentDigest> = []
    /// SQLite, where the story has it go along.
    var database: Store?

    static let tickMilliseconds: Int64 = 500

    init(story: Story, bug: PlantedBug?) throws {
        var configuration = Scheduler.Configuration(leaseMilliseconds: Story.leaseMilliseconds)
        if !story.hasBackups { configuration.backupShare = 0 }
        configuration.failuresMax = story.failuresMax
        configuration.lossesMax = story.lossesMax
        scheduler = Scheduler(configuration: configuration)
        for request in story.requests {
            for blob in request.inputs + request.volumes.flatMap(\.inputs) {
                _ = blobs.store(Story.input(blob.name))
            }
        }
        store.checksEpochs = bug != .checksNoEpochs && bug != .countsBothOfTwo
        syncedStore = store
        if story.hasDatabase && bug == nil { database = try Store(path: ":memory:") }
    }
}

extension Simulation {
    // MARK: - The process comes and goes

    func startCoordinator() {
        guard !coordinator.isRunning else { return }
        coordinator.isRunning = true
        coordinator.life += 1
        coordinator.clock = makeClock()
        coordinator.lastLocal = coordinator.clock.local(now)
        coordinator.suspendedUntil = 0
        say("coordinator starts, life \(coordinator.life)")
        recover()
        scheduleTurn(at: now)
    }

    /// The scheduler begins with what the store remembers.
    private func recover() {
        var runs = coordinator.store.recover()
        promises.checkRecovered(coordinator)
        for run in runs.indices {
            if bug == .forgetsPausesOnRestart { runs[run].isPaused = false }
            for work in runs[run].works.indices {
                if bug == .losesCheckpointsOnRestart { _ = runs[run].works[work].checkpoints.popLast() }
                if bug == .losesEpochsOnRestart, runs[run].works[work].state == .ready {
                    runs[run].works[work].epoch = max(1, runs[run].works[work].epoch) - 1
                    runs[run].works[work].lease = nil
                }
            }
        }
        coordinator.scheduler = Scheduler(
            configuration: coordinator.scheduler.configuration, recovering: runs,
            after: bug == .givesNumbersAgain ? LastNumbers() : coordinator.store.lastNumbers, at: coordinator.lastLocal)
        promises.coordinatorForgets()
        coverage.schedulerRecovered(coordinator.scheduler)
        let actions = coordinator.scheduler.resume()
        if bug != .forgetsVotesOnRestart { follow(actions, wire: nil, 0, promise: nil, client: nil) }
    }

    func endCoordinator(isPowerCut: Bool) {
        say("coordinator ends" + (isPowerCut ? " by a power cut" : ""))
        coordinator.isRunning = false
        coordinator.inbox = []
        coordinator.changes = []
        coordinator.outgoing = []
        coordinator.discarded = []
        coordinator.retained = []
        coordinator.turnAt = .max
        coordinator.blobs.processEnded()
        if isPowerCut {
            coordinator.blobs.lostPower(&random)
            coordinator.store = coordinator.syncedStore
        }
        for wire in coordinator.peers.keys.sorted() {
            // After a power cut nobody says goodbye.
            if isPowerCut, random.happens(perMille: 500) { wires[wire].isDead = true } else { coordinatorHangsUp(wire) }
        }
        coordinator.peers = [:]
        coordinator.workerWires = [:]
        queue.add(.coordinatorStarts, at: now + random.between(200, 20_000))
    }

    // MARK: - A turn of its loop

    func coordinatorHears(_ input: CoordinatorInput, _ life: Int?) {
        guard coordinator.isRunning else { return }
        if let life, life != coordinator.life {
            // A machine that knows nothing of a connection says so.
            if case .message(_, _, let wire) = input { coordinatorHangsUp(wire) }
            return
        }
        coordinator.inbox.append(input)
        scheduleTurn(at: now + random.below(6))
    }

    private func scheduleTurn(at time: Int64) {
        guard time < coordinator.turnAt else { return }
        coordinator.turnAt = time
        queue.add(.coordinatorTurn(life: coordinator.life), at: time)
    }

    func coordinatorTurn(_ life: Int) {
        guard coordinator.isRunning, life == coordinator.life else { return }
        guard now >= coordinator.suspendedUntil else {
            return queue.add(.coordinatorTurn(life: life), at: coordinator.suspendedUntil)
        }
        guard now >= coordinator.turnAt else { return }
        coordinator.turnAt = .max
        let local = coordinator.clock.local(now)
        let away = local - coordinator.lastLocal - CoordinatorMachine.tickMilliseconds
        coordinator.lastLocal = local
        let inputs = coordinator.inbox
        coordinator.inbox = []
        for input in inputs { take(input) }
        if away > Story.leaseMilliseconds / 2 { applyToScheduler(.wasAway) }
        if bug != .neverLetsLeasesExpire { applyToScheduler(.tick) }
        for wire in coordinator.peers.keys.sorted() where !coordinator.peers[wire]!.isClosing {
            let peer = coordinator.peers[wire]!
            let isTooSilent = peer.name != nil && !peer.isReplaced
                && local > peer.heard + 3 * Story.leaseMilliseconds
            let isStranger = peer.name == nil && local > peer.accepted + Int64(Limits.handshakeMilliseconds)
            if isTooSilent || isStranger { hangUp(wire) }
        }
        endTurn()
        if coordinator.isRunning { scheduleTurn(at: now + CoordinatorMachine.tickMilliseconds) }
    }

    private func endTurn() {
        if bug == .leavesTheBeatenLease {
            coordinator.changes.removeAll {
                if case .leaseEnded(_, _, .revoked(let why)) = $0 { why.contains("was quicker") } else { false }
            }
        }
        let (changes, outgoing) = (coordinator.changes, coordinator.outgoing)
        coordinator.changes = []
        coordinator.outgoing = []
        if bug == .acknowledgesBeforeCommit { carryOut(outgoing) }
        defer { coordinator.discarded = [] }
        if changes.isEmpty {
            removeBlobs(coordinator.discarded)
        } else {
            if fault(.coordinatorKilledBeforeCommit) {
                return endCoordinator(isPowerCut: random.happens(perMille: 500))
            }
            let isFull = fault(.commitDiskFull)
            if isFull || fault(.commitFails) { return startAgain(isFull: isFull, outgoing) }
            guard commit(changes) else { return startAgain(isFull: false, outgoing) }
            if fault(.coordinatorKilledAfterCommit) { return endCoordinator(isPowerCut: random.happens(perMille: 500)) }
        }
        if bug != .acknowledgesBeforeCommit { carryOut(outgoing) }
    }

    /// - Returns: false when the store refuses the changes, which is a violation of its own.
    private func commit(_ changes: [StoreChange]) -> Bool {
        do {
            for change in changes {
                fold(change)
                say("commit: \(change)")
                promises.committing(change, coordinator)
                coverage.committed(change, coordinator.store)
            }
            let forgotten = changes.compactMap { change in
                if case .runForgotten(let run) = change { coordinator.store.runs.first { $0.id == run } } else { nil }
            }
            let released = try coordinator.store.commit(changes)
            if bug == .forgetsSharedBlobs {
                let inputs = forgotten.flatMap { $0.request.inputs + $0.request.volumes.flatMap(\.inputs) }
                for blob in inputs { coordinator.blobs.remove(blob.digest) }
            }
            for run in forgotten {
                for index in clientAcknowledged.indices where clientAcknowledged[index] == run.id {
                    clientAcknowledged[index] = nil
                }
            }
            if bug != .forgetsToSync || random.happens(perMille: 500) { coordinator.syncedStore = coordinator.store }
            if let database = coordinator.database {
                let alsoReleased = try database.commit(changes, wallMilliseconds: now)
                promises.compare(released, alsoReleased, at: now)
            }
            removeBlobs(released + coordinator.discarded)
            if bug == nil { promises.compare(coordinator.scheduler, with: coordinator.store) }
            return true
        } catch {
            promises.violate("the store refuses \(changes.map(\.description)): \(error)")
            return false
        }
    }

    private func removeBlobs(_ candidates: [ContentDigest]) {
        coordinator.retained.formUnion(candidates)
        guard !coordinator.retained.isEmpty else { return }
        let fetched = coordinator.scheduler.digestsBeingFetched
        for digest in coordinator.retained where !fetched.contains(digest) {
            coordinator.retained.remove(digest)
            if !coordinator.store.refers(to: digest) { coordinator.blobs.remove(digest) }
        }
    }

    /// A commit that failed is as a restart, as in CoordinatorCore.
    private func startAgain(isFull: Bool, _ outgoing: [CoordinatorMachine.Outgoing]) {
        let refusal = Refusal(code: isFull ? .diskFull : .internalError, message: "a simulated fault")
        for wire in coordinator.workerWires.values.sorted() {
            coordinator.peers[wire]!.isReplaced = true
            hangUp(wire)
        }
        let closing = coordinator.outgoing
        coordinator.outgoing = []
        coordinator.workerWires = [:]
        recover()
        carryOut(outgoing.compactMap { one in
            switch one {
            case .send(_, let requestID, let wire, _):
                return requestID == 0 ? nil : .send(.refusal(refusal), requestID, wire: wire, nil)
            case .blob, .close: return one
            case .vote, .verify, .tellClient: return nil
            }
        } + closing)
        scheduleTurn(at: now)
    }

    private func carryOut(_ outgoing: [CoordinatorMachine.Outgoing]) {
        for one in outgoing {
            switch one {
            case .send(let message, let requestID, let wire, let promise):
                guard coordinator.peers[wire] != nil else { continue }
                say("coordinator to \(wires[wire].box) on \(wire): \(message.brief)")
                if case .assignment(let assignment) = message {
                    promises.assigned(assignment, to: Box.name(wires[wire].box, life: wires[wire].life, bug))
                }
                if case .accepted = message, let promise { promises.acknowledged(promise) }
                sendDown(message, requestID, wire)
            case .close(let wire): coordinatorHangsUp(wire)
            case .blob(let message, let requestID, let wire):
                let input = CoordinatorInput.blobAnswer(answerAboutBlob(message), requestID, wire: wire)
                // One thread answers, in order.
                coordinator.blobThreadFreeAt = max(now, coordinator.blobThreadFreeAt) + random.below(10)
                queue.add(.coordinator(life: coordinator.life, input), at: coordinator.blobThreadFreeAt)
            case .vote(let work, let votes):
                queue.add(
                    .coordinator(life: coordinator.life, .voted(work, votes)), at: now + 10 + random.below(2_000))
            case .verify(let work, let suspects):
                let time = now + random.below(1_000)
                for blob in suspects where coordinator.blobs.verify(blob.digest) != true {
                    queue.add(.coordinator(life: coordinator.life, .damaged(work, blob.digest)), at: time)
                }
                queue.add(.coordinator(life: coordinator.life, .verified(work)), at: time + 1)
            case .tellClient(let index, let answer):
                // Not if somebody else forgot the run in the same turn.
                guard case .submitted(let run) = answer, coordinator.store.runs.contains(where: { $0.id == run }) else {
                    continue
                }
                if !hasFaults || random.happens(perMille: 800) {
                    clientAcknowledged[index] = run
                    promises.submitted(story.requests[index].idempotencyKey)
                }
            }
        }
    }

    // MARK: - What it hears

    private func take(_ input: CoordinatorInput) {
        let local = coordinator.lastLocal
        switch input {
        case .opened(let wire):
            coordinator.peers[wire] = CoordinatorMachine.Peer(heard: local, accepted: local)
        case .closed(let wire):
            guard let peer = coordinator.peers.removeValue(forKey: wire), let name = peer.name, !peer.isReplaced else {
                return
            }
            coordinator.workerWires[name] = nil
            applyToScheduler(.workerDisconnected(name))
        case .message(let message, let requestID, let wire):
            guard let peer = coordinator.peers[wire], !peer.isClosing else { return }
            coordinator.peers[wire]!.heard = local
            if !peer.isReplaced { receive(message, requestID, wire) }
        case .blobAnswer(let message, let requestID, let wire):
            if coordinator.peers[wire] != nil { sendDown(message, requestID, wire) }
        case .voted(let work, let votes): voted(work, votes)
        case .damaged(let work, let digest): applyToScheduler(.inputDamaged(work, digest, unsent: nil))
        case .verified(let work): applyToScheduler(.verified(work))
        case .submit(let index):
            // What went with a run that was forgotten is uploaded again.
            for blob in story.requests[index].inputs + story.requests[index].volumes.flatMap(\.inputs)
            where coordinator.blobs.byteCount(of: blob.digest) == nil {
                _ = coordinator.blobs.store(Story.input(blob.name))
            }
            applyToScheduler(.submit(story.requests[index]), client: index)
        case .cancel(let run):
            promises.cancelled(run)
            applyToScheduler(.cancel(run))
        case .forget(let run): applyToScheduler(.forget(run))
        case .pause(let run): applyToScheduler(.pause(run))
        case .resume(let run): applyToScheduler(.resume(run))
        case .prioritise(let run, let priority): applyToScheduler(.prioritise(run, priority))
        case .drain(let worker): applyToScheduler(.drain(worker))
        }
    }

    private func receive(_ message: Message, _ requestID: RequestID, _ wire: Int) {
        guard let name = coordinator.peers[wire]!.name else {
            guard case .hello(let hello) = message else { return hangUp(wire) }
            return greet(hello, requestID, wire)
        }
        switch message {
        case .blobGet, .blobOffer, .blobPut:
            let scheduler = coordinator.scheduler
            if let refusal = coordinator.peers[wire]!.access.refusal(of: message, from: name, by: scheduler) {
                coordinator.outgoing.append(.send(.refusal(refusal), requestID, wire: wire, nil))
            } else {
                coordinator.outgoing.append(.blob(message, requestID, wire: wire))
            }
        case .idle: applyToScheduler(.idle(name), wire, requestID)
        case .heartbeat(let progress): applyToScheduler(.heartbeat(name, progress), wire, requestID)
        case .checkpointSaved(let lease, let checkpoint, let metrics):
            guard hasBlobs([checkpoint.blob], requestID, wire) else { return }
            applyToScheduler(
                .checkpointSaved(name, lease, checkpoint, metrics), wire, requestID,
                promise: .checkpoint(lease, checkpoint.iteration))
        case .finished(let result):
            guard hasBlobs(result.outputs, requestID, wire) else { return }
            let (changeCount, outgoingCount) = (coordinator.changes.count, coordinator.outgoing.count)
            applyToScheduler(.finished(name, result), wire, requestID, promise: .result(result))
            guard coordinator.outgoing.count > outgoingCount, bug != nil,
                case .send(let answer, _, _, _) = coordinator.outgoing[outgoingCount]
            else { return }
            let isDuplicate = coordinator.changes.count == changeCount && answer == .accepted
            var isStale = false
            if case .refusal = answer {
                isStale = coordinator.scheduler.works[result.lease.work]?.state.isFinal == false
            }
            let isBeaten = coordinator.scheduler.works[result.lease.work].map {
                $0.state == .done && $0.doneEpoch != result.lease.epoch
            }
            if bug == .countsDuplicatesTwice && isDuplicate || bug == .checksNoEpochs && isStale
                || bug == .countsBothOfTwo && isBeaten == true
            {
                coordinator.changes.append(.resultAccepted(result, name))
            }
        case .surrender(let lease, let reason, let text):
            applyToScheduler(.surrendered(name, lease, reason, text), wire, requestID)
        case .hello: break
        default: promises.violate("a worker said \(message.brief)")
        }
    }

    private func greet(_ hello: Hello, _ requestID: RequestID, _ wire: Int) {
        let welcome = Welcome(
            version: 2, build: "simulated", heartbeatMilliseconds: UInt32(Story.heartbeatMilliseconds),
            leaseMilliseconds: UInt32(Story.leaseMilliseconds))
        coordinator.outgoing.append(.send(.welcome(welcome), requestID, wire: wire, nil))
        if let old = coordinator.workerWires[hello.name], old != wire {
            coordinator.peers[old]?.isReplaced = true
            hangUp(old)
        }
        coordinator.peers[wire]!.name = hello.name
        coordinator.workerWires[hello.name] = wire
        let facts = WorkerFacts(build: hello.build, device: hello.device, threadCount: Int(hello.threadCount))
        applyToScheduler(.workerConnected(hello.name, facts, held: hello.held), wire, requestID)
        for lease in hello.held { coordinator.peers[wire]!.access.add(lease) }
    }

    private func hangUp(_ wire: Int) {
        guard coordinator.peers[wire] != nil else { return }
        coordinator.peers[wire]!.isClosing = true
        coordinator.outgoing.append(.close(wire))
        // The network tells the coordinator of an end that it wanted itself, too.
        queue.add(.coordinator(life: coordinator.life, .closed(wire)), at: now + 1)
    }

    private func hasBlobs(_ wanted: [BlobReference], _ requestID: RequestID, _ wire: Int) -> Bool {
        for blob in wanted where coordinator.blobs.byteCount(of: blob.digest) != blob.byteCount {
            let refusal = Refusal(code: .unknown, message: "blob \(blob.name) is not here; upload it first")
            coordinator.outgoing.append(.send(.refusal(refusal), requestID, wire: wire, nil))
            return false
        }
        return true
    }

    private func voted(_ work: WorkID, _ votes: [BlobReference]) {
        for vote in votes where coordinator.blobs.verify(vote.digest) != true {
            return applyToScheduler(.voteFailed(work, "votes '\(vote.name)' are gone or damaged"))
        }
        if fault(.blobDiskFull) { return coordinator.outgoing.append(.vote(work, votes)) }
        let bytes = SimulatedWork.voted(votes.map(\.digest))
        _ = coordinator.blobs.store(bytes)
        applyToScheduler(.voted(work, BlobReference(role: "voted", name: "voted", bytes: bytes)))
    }

    private func answerAboutBlob(_ message: Message) -> Message {
        if fault(.blobFails) { return .refusal(Refusal(code: .internalError, message: "an I/O error")) }
        do {
            switch message {
            case .blobGet(let digest, let offset, let countMax):
                guard let byteCount = coordinator.blobs.byteCount(of: digest) else {
                    throw SimulatedBlobs.Problem.missing
                }
                let bytes = try coordinator.blobs.read(digest, offset: offset, count: Int(countMax))
                return .blobChunk(digest, offset: offset, byteCount: byteCount, bytes: bytes)
            case .blobOffer(let digest, let byteCount):
                return .blobOffset(digest, offset: try coordinator.blobs.offer(digest, byteCount: byteCount))
            case .blobPut(let digest, let offset, let bytes):
                if fault(.blobDiskFull) { return .refusal(Refusal(code: .diskFull, message: "the disk is full")) }
                let end = try coordinator.blobs.append(
                    digest, offset: offset, bytes: bytes, isSynced: bug != .forgetsToSyncBlobs)
                return .blobOffset(digest, offset: end)
            default: preconditionFailure("\(message.brief) is not about blobs")
            }
        } catch {
            let code: RefusalCode = switch error as! SimulatedBlobs.Problem {
            case .missing, .notOffered, .gap: .unknown
            case .damaged: .damaged
            case .wrongSize: .malformed
            case .full: .diskFull
            case .failed: .internalError
            }
            return .refusal(Refusal(code: code, message: "\(error)"))
        }
    }

    // MARK: - Decisions

    private func applyToScheduler(
        _ event: SchedulerEvent, _ wire: Int? = nil, _ requestID: RequestID = 0,
        promise: CoordinatorMachine.Promise? = nil, client: Int? = nil
    ) {
        coverage.schedulerHears(event, coordinator.scheduler)
        let actions = coordinator.scheduler.apply(event, at: coordinator.lastLocal)
        coverage.schedulerDecided(coordinator.scheduler)
        promises.checkConsistency(coordinator.scheduler)
        follow(actions, wire: wire, requestID, promise: promise, client: client)
    }

    private func follow(
        _ actions: [SchedulerAction], wire: Int?, _ requestID: RequestID, promise: CoordinatorMachine.Promise?,
        client: Int?
    ) {
        for action in actions {
            switch action {
            case .persist(let change): coordinator.changes.append(change)
            case .answer(let message):
                if let client { coordinator.outgoing.append(.tellClient(client, message)) }
                if let wire { coordinator.outgoing.append(.send(message, requestID, wire: wire, promise)) }
            case .send(let message, let name): tell(name, message)
            case .vote(let work, let votes): coordinator.outgoing.append(.vote(work, votes))
            case .discard(let digest): coordinator.discarded.append(digest)
            case .verify(let work, let suspects): coordinator.outgoing.append(.verify(work, suspects))
            }
        }
    }

    private func tell(_ name: WorkerName, _ message: Message) {
        var message = message
        if case .assignment(var assignment) = message, let resume = assignment.resume {
            if coordinator.blobs.byteCount(of: resume.blob.digest) != resume.blob.byteCount {
                return applyToScheduler(
                    .inputDamaged(assignment.lease.work, resume.blob.digest, unsent: assignment.lease))
            }
            if bug == .assignsOldCheckpoint, let oldest = coordinator.scheduler.works[assignment.lease.work]?
                .checkpoints.first
            {
                assignment.resume = oldest
                message = .assignment(assignment)
            }
        }
        guard let wire = coordinator.workerWires[name] else { return }
        if case .assignment(let assignment) = message { coordinator.peers[wire]?.access.add(assignment.lease) }
        coordinator.outgoing.append(.send(message, 0, wire: wire, nil))
    }
}
