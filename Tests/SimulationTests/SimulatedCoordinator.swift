import Coordinator
import Platform
import Protocol
import Worker

/// The coordinator's machine: a disk that outlives its processes, and the process. It decides by the real
/// `CoordinatorCore` and remembers in the real `Store`; this is the shell around them, as CoordinatorServer is.
final class CoordinatorMachine {
    /// What an acknowledgement promises.
    enum Promise {
        case checkpoint(Lease, UInt32)
        case result(WorkResult, WorkerName)
    }

    private struct Request: Hashable {
        var connection: ConnectionID
        var requestID: RequestID
    }

    // The disk.
    var disk: SimulatedDisk
    let shelf = SimulatedShelf()
    var standby: SimulatedStandby?
    var blobs: SimulatedBlobs {
        get { shelf.blobs }
        set { shelf.blobs = newValue }
    }

    // The process.
    var settings: CoreSettings
    /// The last turn that this life has committed.
    var committedNumber: UInt64 = 0
    var isRunning = false
    var life = 0
    var clock = SimulatedClock(offset: 0, partsPerThousand: 1_000)
    var lastLocal: Int64 = 0
    /// nil before the first start.
    var core: CoordinatorCore?
    var inbox: [CoordinatorInput] = []
    var turnAt: Int64 = .max
    var blobThreadFreeAt: Int64 = 0
    var suspendedUntil: Int64 = 0
    /// Turns on the store's thread, and whether it takes none because a commit has failed.
    var committing: [Turn] = []
    var hasFailed = false
    /// What is promised with the answer to a request.
    private var promises: [Request: Promise] = [:]
    /// Which submission a client's request is.
    var submissions: [RequestID: Int] = [:]
    var lastClientRequest: RequestID = 0
    /// Results that workers have stated in the turn under way.
    var stated: [(result: WorkResult, name: WorkerName)] = []

    static let tickMilliseconds: Int64 = 500
    /// People's connection; those of workers are named after their wires.
    static let client = ConnectionID(number: 0)
    static func connection(_ wire: Int) -> ConnectionID { ConnectionID(number: UInt64(wire) + 1) }
    static func wire(_ connection: ConnectionID) -> Int? {
        // "connection 7"
        Int(connection.description.dropFirst(11)).flatMap { $0 == 0 || $0 > SimulatedStandby.first ? nil : $0 - 1 }
    }

    init(story: Story, bug: PlantedBug?) throws {
        var configuration = Scheduler.Configuration(leaseMilliseconds: Story.leaseMilliseconds)
        if !story.hasBackups { configuration.backupShare = 0 }
        configuration.failuresMax = story.failuresMax
        configuration.lossesMax = story.lossesMax
        var limits = PeerLimits()
        limits.clientSilenceMilliseconds = .max / 2
        settings = CoreSettings(
            build: "simulated", heartbeatMilliseconds: UInt32(Story.heartbeatMilliseconds), scheduler: configuration,
            limits: limits)
        disk = try SimulatedDisk()
        for request in story.requests {
            for blob in request.inputs + request.items.flatMap(\.inputs) {
                _ = blobs.store(Story.input(blob.name))
            }
        }
    }

    func expect(_ promise: Promise, in answerTo: RequestID, on connection: ConnectionID) {
        promises[Request(connection: connection, requestID: answerTo)] = promise
    }

    func promise(in answerTo: RequestID, on connection: ConnectionID) -> Promise? {
        promises.removeValue(forKey: Request(connection: connection, requestID: answerTo))
    }

    func processEnded() {
        isRunning = false
        inbox = []
        committing = []
        hasFailed = false
        promises = [:]
        submissions = [:]
        stated = []
        turnAt = .max
        blobs.processEnded()
    }
}

/// The coordinator's blobs, as its core sees them.
final class SimulatedShelf: BlobShelf {
    var blobs = SimulatedBlobs()

    func byteCount(of digest: ContentDigest) -> UInt64? { blobs.byteCount(of: digest) }
    func hasSent(_ worker: WorkerName, _ digest: ContentDigest) -> Bool { true }
    func read(_ digest: ContentDigest, byteCount: Int) throws -> [UInt8] {
        try blobs.read(digest, offset: 0, count: byteCount)
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
        coordinator.core = CoordinatorCore(
            settings: coordinator.settings, shelf: coordinator.shelf, archive: coordinator.disk.store,
            recovery: recovery(),
            at: UInt64(coordinator.lastLocal))
        begun()
        endTurn(isFirst: true)
        coordinator.core!.accepted(CoordinatorMachine.client, address: "client:1", at: UInt64(coordinator.lastLocal))
        let hello = Hello(
            role: .client, versionMin: VersionNegotiation.versionMin, versionMax: VersionNegotiation.versionMax,
            build: "simulated", name: "client", threadCount: 0, device: "none", held: [])
        hear(FrameEncoder.magic + frame(.hello(hello), 1), CoordinatorMachine.client)
        scheduleTurn(at: now)
        coordinator.committedNumber = 0
        if coordinator.standby != nil {
            queue.add(.standbyFollows(life: coordinator.life), at: now + standbyRandom.between(50, 3_000))
        }
    }

    /// What a core that starts, or starts again, is told; with what a planted bug has forgotten.
    private func recovery() -> Recovery {
        var recovery = coordinator.disk.committed.recovery
        if bug == .givesNumbersAgain { recovery.lastNumbers = LastNumbers() }
        for run in recovery.runs.indices {
            if bug == .forgetsPausesOnRestart { recovery.runs[run].isPaused = false }
            if bug == .closesItemsOnRestart { recovery.runs[run].request.isOpen = false }
            for work in recovery.runs[run].works {
                if bug == .losesCheckpointsOnRestart, !work.checkpoints.isEmpty {
                    recovery.runs[run].table[work.id]!.checkpoints.removeLast()
                }
                if bug == .losesEpochsOnRestart, work.state == .ready {
                    recovery.runs[run].table[work.id]!.epoch = max(1, work.epoch) - 1
                    recovery.runs[run].table[work.id]!.lease = nil
                }
            }
        }
        return recovery
    }

    private func begun() {
        promises.coordinatorForgets()
        coverage.schedulerRecovered(coordinator.core!.scheduler)
    }

    func endCoordinator(isPowerCut: Bool) {
        say("coordinator ends" + (isPowerCut ? " by a power cut" : ""))
        coordinator.processEnded()
        if isPowerCut {
            coordinator.blobs.lostPower(&random)
            coordinator.disk.lostPower()
        } else {
            coordinator.disk.processEnded()
        }
        for connection in coordinator.core?.peers.keys.sorted() ?? [] {
            guard let wire = CoordinatorMachine.wire(connection) else { continue }
            // After a power cut nobody says goodbye.
            if isPowerCut, random.happens(perMille: 500) { wires[wire].isDead = true } else { coordinatorHangsUp(wire) }
        }
        queue.add(.coordinatorStarts, at: now + random.between(200, 20_000))
        standbyMayTakeOver()
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
        _ = coordinator.core!.goOn(at: UInt64(local))
        for input in inputs { take(input) }
        if bug != .neverLetsLeasesExpire { coordinator.core!.tick(at: UInt64(local), awayMilliseconds: away) }
        decided()
        endTurn()
        coordinator.stated = []
        if coordinator.isRunning { scheduleTurn(at: now + CoordinatorMachine.tickMilliseconds) }
    }

    func decided() {
        coverage.schedulerDecided(coordinator.core!.scheduler)
        promises.checkConsistency(coordinator.core!.scheduler)
    }

    private func endTurn(isFirst: Bool = false) {
        var (atOnce, turn) = coordinator.core!.endTurn()
        if isFirst, bug == .forgetsVotesOnRestart {
            atOnce.removeAll { if case .vote = $0 { true } else { false } }
            turn?.outgoing.removeAll { if case .vote = $0 { true } else { false } }
        }
        carryOut(atOnce)
        guard var turn, coordinator.isRunning, !coordinator.hasFailed else { return }
        plant(in: &turn)
        coordinator.committing.append(turn)
        if bug == .acknowledgesBeforeCommit { carryOut(turn.outgoing) }
        queue.add(.coordinatorCommits(life: coordinator.life, turn: turn.number), at: now + commitMilliseconds())
    }

    /// A sync takes its time, sometimes long.
    private func commitMilliseconds() -> Int64 {
        random.happens(perMille: 20) ? random.below(3_000) : random.below(12)
    }

    private func plant(in turn: inout Turn) {
        if bug == .leavesTheBeatenLease {
            turn.changes.removeAll {
                if case .leaseEnded(_, _, .revoked(let why)) = $0 { why.contains("was quicker") } else { false }
            }
        }
        guard bug == .countsDuplicatesTwice || bug == .checksNoEpochs || bug == .countsBothOfTwo else { return }
        for (result, name) in coordinator.stated {
            let scheduler = coordinator.core!.scheduler
            let isCounted = turn.changes.contains {
                if case .resultAccepted(let counted, _) = $0 { counted.lease == result.lease } else { false }
            }
            guard !isCounted, let work = scheduler.works[result.lease.work] else { continue }
            let isDuplicate = work.doneEpoch == result.lease.epoch && work.doneBy == name
            let isBeaten = work.state == .done && work.doneEpoch != result.lease.epoch
            if bug == .countsDuplicatesTwice && isDuplicate || bug == .countsBothOfTwo && isBeaten
                || bug == .checksNoEpochs && !work.state.isFinal
            {
                turn.changes.append(.resultAccepted(result, name))
            }
        }
    }

    // MARK: - Its store's thread

    /// - Parameter number: the turn, as long as it is the oldest one.
    func coordinatorCommits(_ life: Int, _ number: UInt64) {
        guard coordinator.isRunning, life == coordinator.life, coordinator.committing.first?.number == number else {
            return
        }
        if fault(.coordinatorKilledBeforeCommit) { return endCoordinator(isPowerCut: random.happens(perMille: 500)) }
        if fault(.commitDiskFull) {
            queue.add(.coordinatorCommits(life: life, turn: number), at: now + 1_000)
            return coordinatorHears(.waits, life)
        }
        let turn = coordinator.committing.removeFirst()
        guard !fault(.commitFails), let unreferenced = commit(turn) else {
            coordinator.committing = []
            coordinator.hasFailed = true
            return coordinatorHears(.commitFailed, life)
        }
        if fault(.coordinatorKilledAfterCommit) { return endCoordinator(isPowerCut: random.happens(perMille: 500)) }
        if bug == .removesAtOnce { remove(unreferenced) }
        coordinatorHears(.committed(turn.number, unreferenced), life)
        guard let next = coordinator.committing.first else { return }
        queue.add(.coordinatorCommits(life: life, turn: next.number), at: now + commitMilliseconds())
    }

    /// - Returns: the blobs that nothing refers to; nil when the store refuses the turn, which is a violation of its
    ///   own.
    private func commit(_ turn: Turn) -> [ContentDigest]? {
        let before = coordinator.disk.committed
        for change in turn.changes {
            fold(change)
            say("commit: \(change)")
            promises.committing(change, before, coordinator.blobs)
            coverage.committed(change, before)
            guard case .runForgotten(let run) = change else { continue }
            if bug == .forgetsSharedBlobs, let row = before.runs.first(where: { $0.id == run }) {
                for blob in row.request.inputs + row.request.items.flatMap(\.inputs) {
                    coordinator.blobs.remove(blob.digest)
                }
            }
            for index in clientAcknowledged.indices where clientAcknowledged[index] == run {
                clientAcknowledged[index] = nil
            }
        }
        do {
            let isSynced = bug != .forgetsToSync || random.happens(perMille: 500)
            let unreferenced = try coordinator.disk.commit(turn, at: now, isSynced: isSynced)
            let isQuiet = coordinator.core!.inFlightCount == 1 && bug == nil
            if isQuiet { promises.compare(coordinator.core!.scheduler, with: coordinator.disk.committed) }
            coordinator.committedNumber = turn.number
            try tellStandby(turn, unreferenced)
            return unreferenced
        } catch {
            promises.violate("the store refuses \(turn.changes.map(\.description)): \(error)")
            return nil
        }
    }

    private func remove(_ digests: [ContentDigest]) {
        promises.removing(digests, coordinator.core!.scheduler)
        digests.forEach { coordinator.blobs.remove($0) }
    }

    func carryOut(_ outgoing: [Outgoing]) {
        for one in outgoing where coordinator.isRunning {
            switch one {
            case .send(let message, let requestID, let connection): send(message, requestID, connection)
            case .close(let connection, _), .abort(let connection, _):
                guard let wire = CoordinatorMachine.wire(connection) else { continue }
                coordinatorHangsUp(wire)
                // The network tells the coordinator of an end that it wanted itself, too.
                queue.add(.coordinator(life: coordinator.life, .closed(wire)), at: now + 1)
            case .blob(let message, let requestID, let connection, _):
                guard let wire = CoordinatorMachine.wire(connection) else { continue }
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
            case .setAside(let digest): coordinator.blobs.remove(digest)
            case .tell: break  // nobody looks at a live page here
            case .removeBlobs(let digests):
                if bug == .forgetsWhatIsLeaving { coordinator.core!.removed(digests) }
                // The blob thread may have other things to do first.
                coordinator.blobThreadFreeAt = max(now, coordinator.blobThreadFreeAt) + random.below(500)
                queue.add(.coordinator(life: coordinator.life, .remove(digests)), at: coordinator.blobThreadFreeAt)
            case .snapshot(_, let connection): standbyIsAttached(connection)
            case .read: promises.violate("nobody has asked a question")
            }
        }
    }

    private func send(_ message: Message, _ requestID: RequestID, _ connection: ConnectionID) {
        if SimulatedStandby.generationOf(connection) != nil { return }
        guard let wire = CoordinatorMachine.wire(connection) else { return tellClient(message, requestID) }
        guard coordinator.core!.peers[connection] != nil else { return }
        var message = message
        say("coordinator to \(wires[wire].box) on \(wire): \(message.brief)")
        if case .assignment(var assignment) = message {
            if bug == .assignsOldCheckpoint, assignment.resume != nil,
                let oldest = coordinator.core!.scheduler.works[assignment.lease.work]?.checkpoints.first
            {
                assignment.resume = oldest
                message = .assignment(assignment)
            }
            promises.assigned(assignment, to: Box.name(wires[wire].box, life: wires[wire].life, bug))
        }
        let promise = coordinator.promise(in: requestID, on: connection)
        if case .accepted = message, let promise { promises.acknowledged(promise) }
        sendDown(message, requestID, wire)
    }

    private func tellClient(_ message: Message, _ requestID: RequestID) {
        say("the client hears \(message.brief)")
        guard let index = coordinator.submissions.removeValue(forKey: requestID),
            case .submitted(let run) = message,
            // Not if somebody else forgot the run meanwhile.
            coordinator.disk.committed.runs.contains(where: { $0.id == run })
        else { return }
        guard !hasFaults || random.happens(perMille: 800) else { return }
        clientAcknowledged[index] = run
        promises.submitted(story.requests[index].idempotencyKey)
    }

    // MARK: - What it hears

    func frame(_ message: Message, _ requestID: RequestID) -> [UInt8] {
        do {
            return try MessageCoding.encode(message, requestID: requestID)
        } catch {
            promises.violate("\(message.brief) breaks a limit: \(error)")
            return []
        }
    }

    func hear(_ bytes: [UInt8], _ connection: ConnectionID) {
        coordinator.core!.received(bytes, on: connection, at: UInt64(coordinator.lastLocal))
    }

    private func take(_ input: CoordinatorInput) {
        let local = UInt64(coordinator.lastLocal)
        switch input {
        case .opened(let wire):
            let connection = CoordinatorMachine.connection(wire)
            coordinator.core!.accepted(connection, address: "box\(wires[wire].box):\(wire)", at: local)
            hear(FrameEncoder.magic, connection)
        case .closed(let wire): coordinator.core!.closed(CoordinatorMachine.connection(wire), at: local)
        case .message(let message, let requestID, let wire): take(message, requestID, wire)
        case .blobAnswer(let message, let requestID, let wire):
            coordinator.core!.answered(CoordinatorMachine.connection(wire), message)
            if coordinator.core!.peers[CoordinatorMachine.connection(wire)] != nil {
                sendDown(message, requestID, wire)
            }
        case .voted(let work, let votes): coordinator.core!.voted(work, votes, count(votes), at: local)
        case .damaged(let work, let digest): coordinator.core!.inputDamaged(work, digest, at: local)
        case .verified(let work): coordinator.core!.verified(work, at: local)
        case .remove(let digests):
            remove(digests)
            coordinator.core!.removed(digests)
        case .committed(let number, let unreferenced):
            let outgoing = coordinator.core!.committed(number, unreferenced: unreferenced)
            let isSaid = bug == .acknowledgesBeforeCommit
            carryOut(outgoing.filter { if case .removeBlobs = $0 { true } else { !isSaid } })
        case .standbyGoes(let generation): coordinator.core!.closed(SimulatedStandby.connection(generation), at: local)
        case .standbyHas(let number, let generation):
            guard coordinator.standby?.generation == generation, coordinator.standby!.isFollowing else { break }
            let said = frame(.standbyHas(number: number), UInt32(clamping: number) + 10)
            hear(said, SimulatedStandby.connection(generation))
        case .waits: carryOut(coordinator.core!.waits("a simulated disk is full"))
        case .commitFailed:
            coordinator.hasFailed = false
            carryOut(coordinator.core!.startAgain(after: "a simulated fault", recovery(), at: local))
            begun()
        case .submit(let index): submit(index)
        case .items(let run): goOnWithItems(of: run)
        case .collect(let run): collect(of: run)
        case .cancel(let run):
            promises.cancelled(run)
            ask(.cancel(run))
        case .forget(let run): ask(.forget(run))
        case .pause(let run): ask(.pause(run))
        case .resume(let run): ask(.resume(run))
        case .prioritise(let run, let priority): ask(.prioritise(run, priority: priority))
        case .drain(let worker): ask(.drain(worker: worker))
        }
        decided()
    }

    @discardableResult private func ask(_ message: Message) -> RequestID {
        coordinator.lastClientRequest += 1
        hear(frame(message, coordinator.lastClientRequest + 1), CoordinatorMachine.client)
        // However long the coordinator stood still: people are not one connection.
        coordinator.core!.drained(CoordinatorMachine.client)
        return coordinator.lastClientRequest + 1
    }

    /// What went with a run that was forgotten is uploaded again.
    private func submit(_ index: Int) {
        let request = story.requests[index]
        for blob in request.inputs + request.items.flatMap(\.inputs)
        where coordinator.blobs.byteCount(of: blob.digest) == nil {
            _ = coordinator.blobs.store(Story.input(blob.name))
        }
        let isOpen = !request.isTraining && story.openItemCount != nil
        let items = isOpen ? Array(request.items.prefix(story.openItemCount!)) : request.items
        coordinator.submissions[coordinator.lastClientRequest + 2] = index
        ask(.submit(Submission(
            plan: request.plan, recipe: request.recipe, parameters: request.parameters, seed: request.seed,
            replicaCount: UInt16(request.replicaCount),
            checkpointSeconds: request.checkpointSeconds, inputs: request.inputs,
            itemManifest: items.isEmpty ? nil : manifest(of: items),
            idempotencyKey: request.idempotencyKey, isOpen: isOpen, verifyShare: request.verifyShare)))
    }

    private func manifest(of items: [ItemSubmission]) -> BlobReference? {
        guard let bytes = try? ItemManifest.encode(items) else {
            promises.violate("an archive cannot be listed")
            return nil
        }
        _ = coordinator.blobs.store(bytes)
        return BlobReference(role: "manifest", name: "manifest", bytes: bytes)
    }

    /// An item or two more, sometimes once more what is there; when all are there, the end of them.
    private func goOnWithItems(of id: RunID) {
        guard let run = coordinator.disk.committed.runs.first(where: { $0.id == id }), run.request.isOpen,
            let all = story.requests.first(where: { !$0.isTraining })?.items
        else { return }
        let known = run.request.items.count
        guard known < all.count else {
            ask(.closeItems(id))
            return
        }
        let first = known - Int(random.below(Int64(min(2, known + 1))))
        let items = Array(all[first..<min(all.count, known + 1 + Int(random.below(2)))])
        for blob in items.flatMap(\.inputs) where coordinator.blobs.byteCount(of: blob.digest) == nil {
            _ = coordinator.blobs.store(Story.input(blob.name))
        }
        // Some of them are there already and some are not: the whole is refused, and the next attempt begins right.
        if let manifest = manifest(of: items) {
            ask(.appendItems(id, first: UInt32(first), manifest: manifest))
        }
    }

    /// Fetches what there is of some items, and then says that it has it.
    private func collect(of id: RunID) {
        guard let run = coordinator.disk.committed.runs.first(where: { $0.id == id }) else { return }
        let ended = run.request.items.indices.filter { item in
            run.works.filter { $0.label != "train" && $0.index == item }.allSatisfy(promises.isWellEnded)
        }
        let chosen = ended.filter { _ in collectRandom.happens(perMille: 500) }
        guard !chosen.isEmpty else { return }
        promises.fetched(chosen, of: run, coordinator)
        ask(.collected(id, items: chosen.map { UInt32($0) }))
    }

    private func take(_ message: Message, _ requestID: RequestID, _ wire: Int) {
        let connection = CoordinatorMachine.connection(wire)
        guard let peer = coordinator.core!.peers[connection] else { return }
        if case .worker(let name) = peer.role {
            coverage.coreHears(message, of: name, coordinator.core!.scheduler)
            switch message {
            case .checkpointSaved(let lease, let checkpoint, _):
                coordinator.expect(.checkpoint(lease, checkpoint.iteration), in: requestID, on: connection)
            case .finished(let result):
                coordinator.expect(.result(result, name), in: requestID, on: connection)
                coordinator.stated.append((result, name))
            default: break
            }
        } else if case .hello(let hello) = message {
            coverage.coreHears(message, of: hello.name, coordinator.core!.scheduler)
        }
        hear(frame(message, requestID), connection)
    }

    private func count(_ votes: [BlobReference]) -> VoteCounter.Outcome {
        for vote in votes where coordinator.blobs.verify(vote.digest) != true {
            return .useless("votes '\(vote.name)' are gone or damaged")
        }
        if fault(.blobDiskFull) { return .later("a simulated disk is full") }
        let bytes = SimulatedWork.voted(votes.map(\.digest))
        _ = coordinator.blobs.store(bytes)
        return .voted(BlobReference(role: "voted", name: "voted", bytes: bytes))
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
}
