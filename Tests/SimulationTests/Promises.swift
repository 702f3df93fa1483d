import Coordinator
import Protocol
import TestSupport

/// What must hold whatever happens, checked after every event. It keeps its own books from what is committed and from
/// what leaves the coordinator, and trusts neither the scheduler nor the store.
struct Promises {
    private struct Held {
        var epoch: UInt64
        var worker: WorkerName
    }

    private let story: Story
    private(set) var violations: [String] = []
    /// Blobs that a fault has changed: what they held may be done again.
    var rotten: Set<ContentDigest> = []

    // Books.
    private var epochMax: [WorkID: UInt64] = [:]
    private var live: [WorkID: [Held]] = [:]
    private var acceptedEpoch: [WorkID: UInt64] = [:]
    /// As many as are kept, oldest first.
    private var checkpoints: [WorkID: [Checkpoint]] = [:]
    private var grantees: [Lease: WorkerName] = [:]
    private var assignees: [Lease: WorkerName] = [:]
    private var acknowledgedResults: [WorkID: WorkResult] = [:]
    private var acknowledgedCheckpoints: [WorkID: UInt32] = [:]
    private var owners: [(works: Range<UInt64>, run: RunID)] = []
    private var acknowledgedKeys: Set<String> = []
    private var cancelledRuns: Set<RunID> = []
    private var endedRuns: Set<RunID> = []
    private var pausedRuns: Set<RunID> = []
    /// Items whose answers the client has, by the works of their last steps, with the answers' digests.
    private var fetched: [WorkID: [ContentDigest]] = [:]
    private var connected: Set<WorkerName> = []
    /// Asked to leave since the coordinator started.
    private var leaving: Set<WorkerName> = []
    /// Boxes on which work failed or lost its worker, in the row that counts.
    private var blamed: [WorkID: Set<Int>] = [:]
    /// How often in a row, by the ends of leases, work failed and lost its worker.
    private var failureCounts: [WorkID: Int] = [:]
    private var lossCounts: [WorkID: Int] = [:]
    private var checkedVersion = -1
    private var checkedLife = -1
    private var isUnchecked = false
    private(set) var checkCount = 0

    init(story: Story) { self.story = story }

    mutating func violate(_ text: String) {
        if violations.count < 20 { violations.append(text) }
    }

    // MARK: - What leaves the coordinator

    mutating func assigned(_ assignment: Assignment, to name: WorkerName) {
        let lease = assignment.lease
        if let earlier = assignees.updateValue(name, forKey: lease), earlier != name {
            violate("\(lease) was given to \(earlier) and to \(name)")
        }
        // It may have been lost again in the same turn; whoever gets it then is told, sooner or later.
        if grantees[lease] != name { violate("\(lease) was given to \(name) and is not kept") }
        if assignment.resume?.iteration ?? 0 < acknowledgedCheckpoints[lease.work] ?? 0 {
            violate("\(lease) starts at \(assignment.resume?.iteration ?? 0), before its acknowledged checkpoint "
                + "\(acknowledgedCheckpoints[lease.work]!)")
        }
    }

    mutating func acknowledged(_ promise: CoordinatorMachine.Promise) {
        isUnchecked = true
        switch promise {
        case .checkpoint(let lease, let iteration):
            guard acceptedEpoch[lease.work] == nil else { return }
            let isOver = story.lyingBox != nil && (checkpoints[lease.work]?.last?.iteration ?? 0) < iteration
            guard !isOver else { return }
            acknowledgedCheckpoints[lease.work] = max(acknowledgedCheckpoints[lease.work] ?? 0, iteration)
        case .result(let result, _):
            // A check's is compared and not kept.
            let isKept = owner(of: result.lease.work) != nil
            // Or it is made again already, or came second and was compared.
            let isOver = story.lyingBox != nil && acceptedEpoch[result.lease.work] != result.lease.epoch
            if isKept, !isOver, !beaten.contains(result.lease) { acknowledgedResults[result.lease.work] = result }
        }
    }

    /// Whoever has been told where to go on must find it there.
    mutating func removing(_ digests: [ContentDigest], _ scheduler: Scheduler) {
        let fetched = scheduler.digestsBeingFetched
        for digest in digests where fetched.contains(digest) {
            violate("the file of \(digest) is removed while somebody is about to fetch it")
        }
    }

    mutating func submitted(_ key: String) { acknowledgedKeys.insert(key) }
    mutating func cancelled(_ run: RunID) { cancelledRuns.insert(run) }

    /// Another machine goes on, which knows what was committed up to `then` and nothing later: what only the lost disk
    /// knew has never been. What was said to anybody stays said.
    mutating func goOn(from then: Promises) {
        var next = then
        next.violations = violations
        next.rotten = rotten
        next.acknowledgedResults = acknowledgedResults
        next.acknowledgedCheckpoints = acknowledgedCheckpoints
        next.acknowledgedKeys = acknowledgedKeys
        next.cancelledRuns = cancelledRuns
        next.fetched = fetched
        next.checkCount = checkCount
        next.isUnchecked = true
        next.checkedVersion = -1
        self = next
    }

    /// It starts, or begins anew from what the store remembers: everybody has to come back.
    mutating func coordinatorForgets() {
        connected = []
        leaving = []
    }

    // MARK: - What is committed

    /// - Parameter before: what the store remembers before this turn.
    mutating func committing(_ change: StoreChange, _ before: CommittedState, _ blobs: SimulatedBlobs) {
        countAttempts(change)
        noteControl(change, before)
        switch change {
        case .leaseGranted(let lease, let worker, _), .backupGranted(let lease, let worker, _, _):
            if lease.epoch <= epochMax[lease.work] ?? 0 {
                violate("\(lease) is not newer than \(epochMax[lease.work]!)")
            }
            if acceptedEpoch[lease.work] != nil { violate("\(lease) on work that is done") }
            var beside = 0
            if case .backupGranted = change { beside = 1 }
            let others = live[lease.work] ?? []
            if others.count != beside || others.contains(where: { $0.worker == worker }) {
                violate("\(lease) of \(worker) beside live \(others)")
            }
            checkIsWanted(lease, worker, before)
            epochMax[lease.work] = lease.epoch
            grantees[lease] = worker
            live[lease.work, default: []].append(Held(epoch: lease.epoch, worker: worker))
        case .leaseRevived(let lease, let worker):
            if lease.epoch != epochMax[lease.work] { violate("\(lease) was revived after a newer one") }
            if live[lease.work]?.isEmpty == false { violate("\(lease) was revived beside a live one") }
            if acceptedEpoch[lease.work] != nil { violate("\(lease) was revived on work that is done") }
            live[lease.work] = [Held(epoch: lease.epoch, worker: worker)]
        case .leaseEnded(let lease, _, let end):
            live[lease.work]?.removeAll { $0.epoch == lease.epoch }
            if end.message.contains("quicker"), story.requests[0].verifyShare > 0 { beaten.insert(lease) }
        case .checkpointAccepted(let lease, let worker, let checkpoint, _): check(checkpoint, lease, worker)
        case .checkpointDropped(let work, let iteration): dropped(work, iteration)
        case .resultAccepted(let result, let worker): check(result, worker, before, blobs)
        case .workRefused(let work, let cause, let message):
            live[work] = []
            if cause == .failed, !hasHadItsAttempts(work) { violate("\(work) was refused without need: \(message)") }
            if cause == .failed, let boxes = blamed[work], boxes.count == 1, !message.contains("votes") {
                let others = connected.subtracting(leaving).filter { !boxes.contains(Box.box(ofWorker: $0)) }
                if !others.isEmpty { violate("\(work) failed on \(boxes) only, was refused, and \(others) is there") }
            }
            if cause == .input, story.refusedVolume == nil { violate("\(work) was refused: \(message)") }
        case .runCancelled(let run):
            if !cancelledRuns.contains(run) { violate("\(run) was cancelled by nobody") }
            // Some of its works may have come in this very turn.
            for work in live.keys where owner(of: work) == run { live[work] = [] }
        case .itemsCollected(let run, let items): collected(items, of: run, before)
        case .votesDamaged(_, let sources, _): sources.forEach { madeAgain($0, before) }
        case .outputsDamaged(let work, _, _): madeAgain(work, before)
        case .checkLeased(let lease, let worker, _): grantees[lease] = worker
        case .machineSetAside(let machine, let why):
            setAsideCount += 1
            if Box.box(ofWorker: machine + ":0") != story.lyingBox { violate("\(machine) was set aside: \(why)") }
        case .worksMadeAgain(_, let works, let why):
            if story.lyingBox == nil { violate("\(works.count) works are made again: \(why)") }
            for one in works {
                (acceptedEpoch[one.work], acknowledgedResults[one.work]) = (nil, nil)
                acknowledgedCheckpoints[one.work] = nil
                checkpoints[one.work] = one.checkpoint.map { [$0] } ?? []
            }
        default: break
        }
    }

    /// The client downloads the answers of these items, as they are at this moment.
    mutating func fetched(_ items: [Int], of run: RecoveredRun, _ coordinator: CoordinatorMachine) {
        for work in run.works where work.label == "finish" && items.contains(work.index) {
            guard work.state == .done, !run.collected.contains(work.index) else {
                fetched[work.id] = fetched[work.id] ?? []
                continue
            }
            let expected = expectedOutputs(of: work.id, coordinator.disk.committed)
            for digest in expected where coordinator.blobs.byteCount(of: digest) == nil && !rotten.contains(digest) {
                violate("\(work.id) is done, and its answer cannot be fetched")
            }
            fetched[work.id] = expected
        }
    }

    /// Only what its client has may go.
    private mutating func collected(_ items: [Int], of run: RunID, _ before: CommittedState) {
        for work in before.allWorks where work.run == run && items.contains(work.index) {
            guard ["predict", "vote", "finish"].contains(work.label) else { continue }
            if work.label == "finish", fetched[work.id] == nil { violate("\(work.id) goes, and nobody has its answer") }
            acknowledgedResults[work.id] = nil
        }
    }

    /// What work that always fails says.
    static let alwaysFails = "it always fails"

    /// Whoever fails or falls silent, beside another lease or not, uses up an attempt; what was accepted, or found
    /// damaged on the coordinator's disk, gives them back. One more than allowed may be under way at the end.
    private mutating func countAttempts(_ change: StoreChange) {
        switch change {
        case .leaseEnded(let lease, let worker, let end):
            var isFailure = end.message.contains(Self.alwaysFails)
            if case .failed = end { isFailure = true }
            let isLoss = end.message.contains(LeaseEnd.lapsed.message), beyond = story.attemptsBeyond
            if isFailure { failureCounts[lease.work, default: 0] += 1 }
            if isLoss { lossCounts[lease.work, default: 0] += 1 }
            if isFailure || isLoss { blamed[lease.work, default: []].insert(Box.box(ofWorker: worker)) }
            if failureCounts[lease.work] ?? 0 > story.failuresMax + beyond { violate("\(lease.work) fails on and on") }
            if lossCounts[lease.work] ?? 0 > story.lossesMax + beyond { violate("\(lease.work) kills on and on") }
        case .leaseRevived(let lease, _): lossCounts[lease.work] = max(0, (lossCounts[lease.work] ?? 0) - 1)
        case .checkpointAccepted(let lease, _, _, _):
            failureCounts[lease.work] = 0
            lossCounts[lease.work] = 0
            blamed[lease.work] = []
        case .checkpointDropped(let work, _): failureCounts[work] = 0
        case .outputsDamaged(_, _, let waiting): for work in waiting { failureCounts[work] = 0 }
        case .votesDamaged(_, let sources, _): for source in sources { failureCounts[source, default: 0] += 1 }
        case .runReopened(_, let works):
            for one in works {
                failureCounts[one.work] = 0
                lossCounts[one.work] = 0
                blamed[one.work] = []
            }
        default: break
        }
    }

    /// What people wanted, and who is there.
    private func owner(of work: WorkID) -> RunID? { owners.last { $0.works.contains(work.value) }?.run }

    private mutating func own(_ run: RunID, from first: WorkID, _ count: Int) {
        owners.append((first.value..<first.value + UInt64(count), run))
    }

    private mutating func noteControl(_ change: StoreChange, _ before: CommittedState) {
        switch change {
        case .runAdded(let run, let request, let firstWork):
            own(run, from: firstWork, request.layout.workCount)
        case .itemsAdded(let run, _, let firstWork, let items):
            own(run, from: firstWork, items.count * Plan.segmenting.steps.count)
        case .workerConnected(let name, _): connected.insert(name)
        case .workerDisconnected(let name): connected.remove(name)
        case .workerDrained(let name): leaving.insert(name)
        case .runPaused(let run): pausedRuns.insert(run)
        case .runResumed(let run): pausedRuns.remove(run)
        case .runEnded(let run, _), .runCancelled(let run): endedRuns.insert(run)
        case .runReopened(let run, _):
            endedRuns.remove(run)
            pausedRuns.remove(run)
        case .runForgotten(let run):
            if !endedRuns.contains(run) { violate("\(run) was forgotten while it went on") }
            guard let row = before.runs.first(where: { $0.id == run }) else { return }
            acknowledgedKeys.remove(row.request.idempotencyKey)
            firstWorks[row.request.idempotencyKey] = nil
            for work in row.works {
                acknowledgedResults[work.id] = nil
                acknowledgedCheckpoints[work.id] = nil
            }
        default: break
        }
    }

    private mutating func checkIsWanted(_ lease: Lease, _ worker: WorkerName, _ before: CommittedState) {
        if leaving.contains(worker) { violate("\(lease) was given to \(worker), which is to leave") }
        guard let run = before[lease.work]?.run else { return }
        if pausedRuns.contains(run) { violate("\(lease) was given while \(run) is paused") }
    }

    private func hasHadItsAttempts(_ work: WorkID) -> Bool {
        failureCounts[work] ?? 0 >= story.failuresMax || lossCounts[work] ?? 0 >= story.lossesMax
    }

    private mutating func check(_ checkpoint: Checkpoint, _ lease: Lease, _ worker: WorkerName) {
        if live[lease.work]?.contains(where: { $0.epoch == lease.epoch && $0.worker == worker }) != true {
            violate("a checkpoint under \(lease) of \(worker), which is not live")
        }
        if let last = checkpoints[lease.work]?.last, checkpoint.iteration <= last.iteration {
            violate("\(lease) goes back from \(last.iteration) to \(checkpoint.iteration)")
        }
        let request = story.requests.first(where: \.isTraining)!
        let state = SimulatedWork.state(
            seed: request.seed, replica: replica(of: lease.work), iteration: checkpoint.iteration)
        if story.lyingBox == nil, checkpoint.blob.digest
            != simulatedDigest(SimulatedWork.checkpoint(state: state, iteration: checkpoint.iteration))
        {
            violate("\(lease): the checkpoint of iteration \(checkpoint.iteration) has other bytes")
        }
        checkpoints[lease.work] = Array(((checkpoints[lease.work] ?? []) + [checkpoint]).suffix(3))
    }

    /// Of a training's work; 0 before its run is known.
    private func replica(of work: WorkID) -> Int { Int(work.value - trainFirstWork) }

    private var trainFirstWork: UInt64 {
        guard let train = story.requests.firstIndex(where: \.isTraining) else { return 1 }
        // Runs are numbered in the order in which their submissions arrived.
        return firstWorks[story.requests[train].idempotencyKey] ?? 1
    }

    private var firstWorks: [String: UInt64] = [:]
    /// Leases whose result came second; some go on, to be compared.
    private var beaten: Set<Lease> = []
    /// Machines that somebody was told not to trust.
    private(set) var setAsideCount = 0

    /// The only way back is a fault on the disk.
    private mutating func dropped(_ work: WorkID, _ iteration: UInt32) {
        guard let checkpoint = checkpoints[work]?.first(where: { $0.iteration == iteration }) else { return }
        if !rotten.contains(checkpoint.blob.digest) {
            violate("\(work): checkpoint \(iteration) was dropped, and nothing had happened to it")
        }
        checkpoints[work]!.removeAll { $0.iteration == iteration }
        let left = checkpoints[work]!.last?.iteration ?? 0
        if let acknowledged = acknowledgedCheckpoints[work] { acknowledgedCheckpoints[work] = min(acknowledged, left) }
    }

    private mutating func check(
        _ result: WorkResult, _ worker: WorkerName, _ before: CommittedState, _ blobs: SimulatedBlobs
    ) {
        let work = result.lease.work
        if acceptedEpoch.updateValue(result.lease.epoch, forKey: work) != nil { violate("\(work) was done twice") }
        let isLive = live[work]?.contains { $0.epoch == result.lease.epoch && $0.worker == worker } == true
        let isLatest = live[work]?.isEmpty != false && result.lease.epoch == epochMax[work]
        if !isLive, !isLatest { violate("a result under \(result.lease) of \(worker), which does not count") }
        let others = (live[work] ?? []).filter { $0.epoch != result.lease.epoch }
        if !others.isEmpty { violate("\(result.lease) is done, and \(others) goes on") }
        live[work] = []
        if story.lyingBox == nil, result.outputs.map(\.digest) != expectedOutputs(of: work, before) {
            violate("\(result.lease): the result has other bytes")
        }
        for output in result.outputs where blobs.byteCount(of: output.digest) != output.byteCount {
            violate("\(result.lease) counts, and its output is not here")
        }
    }

    /// What the work must give, computed from its description alone.
    private func expectedOutputs(of work: WorkID, _ before: CommittedState) -> [ContentDigest] {
        guard let record = before[work], let run = before.runs.first(where: { $0.id == record.run }) else { return [] }
        if record.label == "train" {
            let state = SimulatedWork.state(
                seed: run.request.seed, replica: record.index, iteration: run.request.iterationCount)
            return [simulatedDigest(SimulatedWork.weights(state: state))]
        }
        if record.label == "calibrate" || record.label == "vote" { return [] }
        let volume = run.request.items[record.index].inputs
        let predict = WorkDescription(
            run: run.id, recipe: run.request.recipe, step: "predict", kind: .task, replica: 0, seed: 0, parameters: "",
            inputs: run.request.inputs + volume)
        let votes = SimulatedWork.outputs(predict, voterCount: run.request.replicaCount).map {
            BlobReference(role: "votes", name: "votes", bytes: $0.bytes)
        }
        if record.label == "predict" { return votes.map(\.digest) }
        var finish = predict
        finish.step = "finish"
        let voted = SimulatedWork.voted(votes.map(\.digest))
        finish.inputs = volume + [BlobReference(role: "voted", name: "voted", bytes: voted)] + votes
        return SimulatedWork.outputs(finish, voterCount: 0).map { simulatedDigest($0.bytes) }
    }

    /// What was done is done again, because what it made is not what it was.
    private mutating func madeAgain(_ work: WorkID, _ before: CommittedState) {
        if rotten.isDisjoint(with: before[work]?.outputs.map(\.digest) ?? []) {
            violate("what \(work) made was discarded, and nothing had happened to it")
        }
        acceptedEpoch[work] = nil
        acknowledgedResults[work] = nil
    }

    /// Checkpoints, ballots and votes: what can be made again.
    func blobsThatMayRot(_ committed: CommittedState) -> [ContentDigest] {
        committed.allWorks.flatMap { work -> [ContentDigest] in
            let made = work.label == "predict" || work.label == "vote" ? work.outputs.map(\.digest) : []
            return work.checkpoints.map(\.blob.digest) + made
        }
    }

    // MARK: - After every event

    /// What was acknowledged would survive a power cut at this moment.
    mutating func check(_ coordinator: CoordinatorMachine, at now: Int64) {
        let store = coordinator.disk.committed
        guard isUnchecked || store.version != checkedVersion || coordinator.life != checkedLife else { return }
        (checkedVersion, checkedLife, isUnchecked) = (store.version, coordinator.life, false)
        checkCount += 1
        for run in store.runs where firstWorks[run.request.idempotencyKey] == nil {
            firstWorks[run.request.idempotencyKey] = run.firstWork.value
        }
        for (work, result) in acknowledgedResults {
            guard let record = store[work], record.state == .done, record.doneEpoch == result.lease.epoch else {
                violate("\(now): the acknowledged result of \(result.lease) is lost")
                continue
            }
            // Those of a predict go when its finish is done; then it remembers none.
            for output in record.label == "predict" ? record.outputs : result.outputs
            where coordinator.blobs.byteCount(of: output.digest) == nil && !rotten.contains(output.digest) {
                violate("\(now): an output of \(result.lease) is lost")
            }
        }
        for (work, iteration) in acknowledgedCheckpoints where acceptedEpoch[work] == nil {
            guard let record = store[work], !record.state.isFinal else { continue }
            let checkpoint = record.checkpoint
            if checkpoint?.iteration ?? 0 < iteration {
                violate("\(now): the acknowledged checkpoint \(iteration) of \(work) is lost")
            } else if let checkpoint, coordinator.blobs.byteCount(of: checkpoint.blob.digest) == nil,
                !rotten.contains(checkpoint.blob.digest)
            {
                violate("\(now): the file of checkpoint \(checkpoint.iteration) of \(work) is lost")
            }
        }
        for run in store.runs {
            for blob in run.request.inputs + run.request.items.flatMap(\.inputs)
            where coordinator.blobs.byteCount(of: blob.digest) == nil {
                violate("\(now): \(run.id) reads '\(blob.name)', which is lost")
            }
        }
        for key in acknowledgedKeys where !store.runs.contains(where: { $0.request.idempotencyKey == key }) {
            violate("\(now): the acknowledged run \(key) is lost")
        }
    }

    /// The scheduler's lists say the same as its works.
    mutating func checkConsistency(_ scheduler: Scheduler) {
        var leasedCount = 0, liveCount = scheduler.checks.leasedCount
        for run in scheduler.runs.values {
            var counts = run.plan.steps.map { _ in WorkCounts() }
            for id in run.works {
                let work = scheduler.works[id]!
                counts[work.step].add(work.state)
                let isOpen = run.ready[work.step].contains(work.id)
                let isKept = work.keptFor.map { scheduler.kept[$0]?.contains(work.id) == true } ?? false
                if isKept != (work.keptFor != nil) || work.isReserved && (isOpen || !isKept) {
                    violate("\(work.id) is kept for \(work.keptFor ?? "nobody") and not listed so")
                }
                let isListed = isOpen || work.isReserved
                if isListed != (work.state == .ready) { violate("\(work.id) is \(work.state), listed \(isListed)") }
                if work.state == .leased {
                    leasedCount += 1
                    for lease in work.liveLeases
                    where !scheduler.holdings[lease.worker].contains(Lease(work: id, epoch: lease.epoch)) {
                        violate("\(lease.worker) does not know of its epoch \(lease.epoch) of \(id)")
                    }
                    liveCount += work.liveLeases.count
                    if !scheduler.leased.contains(work.id) { violate("\(work.id) is leased and not listed") }
                    if work.backup?.hasLapsed == true || work.backup.map({ $0.epoch <= work.lease!.epoch }) == true {
                        violate("\(work.id) has a backup that is none")
                    }
                    if work.lease?.hasLapsed != false { violate("\(work.id) is leased without a live lease") }
                }
                if work.state != .leased, work.backup != nil { violate("\(work.id) has a backup of nothing") }
                if work.state.isFinal, work.lease != nil { violate("\(work.id) is final with a lease") }
            }
            if run.counts != counts { violate("\(run.id) counts \(run.counts), not \(counts)") }
            let remaining = run.remainingCount
            let isLookedAt = scheduler.checks.count(of: run.id) > 0
            let goesOn = run.state == .running && (remaining > 0 || run.isOpen || isLookedAt)
            if (run.state == .running || remaining > 0) != goesOn { violate("\(run.id) is \(run.state)") }
        }
        if leasedCount != scheduler.leased.count { violate("\(leasedCount) works are leased") }
        if liveCount != scheduler.holdings.count { violate("\(liveCount) leases run, not \(scheduler.holdings.count)") }
    }

    /// What is in memory is what is on the disk, when nothing is under way between them.
    mutating func compare(_ scheduler: Scheduler, with store: CommittedState) {
        for disk in store.allWorks {
            if scheduler.archived[disk.run] != nil { continue }
            guard let memory = scheduler.works[disk.id] else {
                violate("memory has forgotten \(disk.id)")
                continue
            }
            if disk.state != memory.state || disk.epoch != memory.epoch || disk.failureCount != memory.failureCount
                || disk.lossCount != memory.lossCount || disk.attempts != memory.attempts
                || disk.checkpoints != memory.checkpoints
                || disk.outputs != memory.outputs
            {
                violate("memory and disk differ on \(disk.id): \(Self.brief(memory)); \(Self.brief(disk))")
            }
        }
        for run in store.runs {
            if let archived = scheduler.archived[run.id] {
                if archived.state != run.state { violate("memory and disk differ on \(run.id)") }
                continue
            }
            let memory = scheduler.runs[run.id]!
            if memory.state != run.state || memory.isPaused != run.isPaused || memory.priority != run.priority {
                violate("memory and disk differ on \(run.id)")
            }
        }
        if scheduler.runs.count + scheduler.archived.count != store.runs.count {
            violate("memory knows runs that are forgotten")
        }
    }

    private static func brief(_ work: WorkRecord) -> String {
        "\(work.state) epoch \(work.epoch), \(work.failureCount) failures, \(work.lossCount) losses, checkpoints "
            + "\(work.checkpoints.map(\.iteration)), outputs \(work.outputs.count), by machine "
            + work.attempts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: " ")
    }

    // MARK: - At the end

    func isWellEnded(_ work: WorkRecord) -> Bool {
        switch work.state {
        case .done: return true
        case .refused(.input): return name(of: work) == Story.brokenName
        case .refused(.failed): return name(of: work).map(story.hopelessNames.contains) == true
        case .refused(.dependency):
            return name(of: work).map { $0 == Story.brokenName || story.hopelessNames.contains($0) } == true
        default: return false
        }
    }

    /// Of the volume; nil for a replica's work.
    private func name(of work: WorkRecord) -> String? {
        guard ["predict", "vote", "finish"].contains(work.label) else { return nil }
        return story.requests.first { !$0.isTraining }?.items[work.index].name
    }

    mutating func checkEnd(_ coordinator: CoordinatorMachine) {
        let (committed, store) = (coordinator.disk.committed, coordinator.disk.store)
        do {
            for run in committed.runs {
                let listed = try store.outputs(of: run.id, after: 0, countMax: 1_000).outputs
                let names = listed.map { "\($0.step) \($0.name)" }
                if Set(names).count != names.count { violate("\(run.id) lists an output twice: \(names)") }
                for output in listed where output.state == .done {
                    let isGone = output.item.map { run.collected.contains(Int($0)) } ?? false
                    if isGone, !output.outputs.isEmpty { violate("\(output.name) of \(run.id) is collected and kept") }
                    for blob in output.outputs where coordinator.blobs.byteCount(of: blob.digest) != blob.byteCount {
                        violate("an output of \(output.name) of \(run.id) is not here")
                    }
                }
                for work in run.works where work.state == .done && !isCollected(work, of: run) {
                    try checkKept(work, of: run, listed, store, committed)
                }
            }
            let report = try store.integrityReport()
            if report != "ok" { violate("the database: \(report)") }
        } catch {
            violate("the store cannot be read: \(error)")
        }
    }

    private func isCollected(_ work: WorkRecord, of run: RecoveredRun) -> Bool {
        work.label != "train" && work.label != "calibrate" && run.collected.contains(work.index)
    }

    private mutating func checkKept(
        _ work: WorkRecord, of run: RecoveredRun, _ listed: [RunOutput], _ store: Store, _ committed: CommittedState
    ) throws {
        switch work.label {
        case "train":
            let last = run.request.iterationCount
            let figures = try store.figures(
                of: run.id, step: "train", replica: work.index, firstIteration: 0, countMax: 10_000).figures
            if figures.map(\.iteration) != Array(1...last) {
                violate("\(work.id) has figures of \(figures.count) iterations")
            }
        case "finish": break
        default: return
        }
        let name = name(of: work) ?? "replica-\(work.index)"
        let kept = listed.first { $0.step == work.label && $0.name == name }
        if kept?.outputs.map(\.digest) != expectedOutputs(of: work.id, committed) {
            violate("\(work.id) holds other outputs")
        }
    }
}
