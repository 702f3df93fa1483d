import Platform
import Protocol

/// How a core decides.
package struct CoreSettings: Sendable {
    /// The program's version and build, for peers.
    package var build: String
    package var heartbeatMilliseconds: UInt32
    package var scheduler: Scheduler.Configuration
    package var limits: PeerLimits
    /// Nothing is acknowledged before another coordinator, which follows, keeps it as well.
    package var needsStandby = false

    package init(
        build: String, heartbeatMilliseconds: UInt32, scheduler: Scheduler.Configuration,
        limits: PeerLimits = PeerLimits()
    ) {
        self.build = build
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.scheduler = scheduler
        self.limits = limits
    }
}

/// Between the bytes and the decisions: knows the peers, turns their messages into events of the scheduler, and says
/// what is to be committed, sent and done. Pure: it has no socket, clock, database, thread or random source. What the
/// shell (`CoordinatorServer`) does with it, the simulation in the tests does, too, in a world where everything fails.
///
/// **A turn** is what one round of the shell's loop leads to. `endTurn` closes it:
///
/// - what promises nothing to anybody (`Outgoing` at once) is said now: a heartbeat's answer, a piece of a blob;
/// - the turn's changes go to the store, which commits turns in their order, on a thread of its own;
/// - everything else is said when the store has committed this turn and all before it (`committed`). So nobody hears
///   of what a crash could undo.
///
/// The scheduler is ahead of the store by the turns in flight. When a commit fails for good, `startAgain` takes what
/// the store remembers, as after a restart; a disk that is merely full is waited for (`waits`).
///
/// **Blobs.** The store says which blobs nothing refers to after a turn. A file is removed only when no turn in flight
/// refers to it again and nobody is about to fetch it.
///
/// The jobs: connections (CorePeers), messages of workers (CoreWorkers) and clients (CoreClients), turns (CoreTurns),
/// files (CoreBlobs), questions (Questions), who waits for a run (CoreWatches),
/// who keeps the same (CoreStandbys).
package struct CoordinatorCore {
    package let settings: CoreSettings
    let shelf: any BlobShelf
    let archive: any RunArchive
    package internal(set) var scheduler: Scheduler
    package internal(set) var peers: [ConnectionID: Peer] = [:]
    /// Peers with frames left for the next turn; nothing more is to be read from them until then.
    package internal(set) var unfinished: Set<ConnectionID> = []
    var workerConnections: [WorkerName: ConnectionID] = [:]
    var watches = Watches()
    /// Of all peers.
    var staleResults = MinuteCount()
    /// What people have to do something about, as long as it lasts: the disk that takes nothing.
    package internal(set) var problem: String?
    package internal(set) var counts = CommittedCounts()
    var standbys = Standbys()
    /// The last turn that is kept wherever it has to be.
    package internal(set) var concludedNumber: UInt64 = 0

    // The turn under way, and those that the store has not committed yet, oldest first.
    var turn = Turn(number: 1)
    var inFlight: [Turn] = []
    /// The store waits for room on its disk.
    var isWaitingForRoom = false
    /// Blobs that nothing refers to any more and whose files have to stay for a while.
    var doomed: Set<ContentDigest> = []
    /// What workers have asked for and a shared file system has, for the clients of the runs.
    var wanted: [RunID: Set<ContentDigest>] = [:]
    /// Those whose files are being removed.
    var leaving: Set<ContentDigest> = []

    /// Goes on from what the store remembers.
    package init(
        settings: CoreSettings, shelf: any BlobShelf, archive: any RunArchive, recovery: Recovery,
        at nowMilliseconds: UInt64
    ) {
        (self.settings, self.shelf, self.archive) = (settings, shelf, archive)
        scheduler = Scheduler(
            configuration: settings.scheduler, recovering: recovery, at: Int64(nowMilliseconds))
        follow(scheduler.resume(), at: nowMilliseconds)
    }

    /// Time has passed.
    /// - Parameter awayMilliseconds: how much longer than it should the shell did not look at the clock.
    package mutating func tick(at now: UInt64, awayMilliseconds: Int64) {
        let leaseMilliseconds = settings.scheduler.leaseMilliseconds
        if awayMilliseconds > leaseMilliseconds / 2 { apply(.wasAway, at: now) }
        apply(.tick, at: now)
        archiveEnded(at: now)
        lookForStandby()
        dropOverdue(at: now)
    }

    // MARK: - What its own threads say

    package mutating func voted(
        _ work: WorkID, _ votes: [BlobReference], _ outcome: VoteCounter.Outcome, at now: UInt64
    ) {
        switch outcome {
        case .voted(let blob):
            // What they count may be made again meanwhile.
            guard scheduler.counts(votes, for: work) else { return }
            // The same bytes may have been the vote on another volume that was finished and forgotten meanwhile.
            if byteCount(of: blob.digest) != blob.byteCount {
                turn.outgoing.append(.vote(work, votes))
            } else {
                apply(.voted(work, blob), at: now)
            }
        case .useless(let why): if scheduler.counts(votes, for: work) { apply(.voteFailed(work, why), at: now) }
        case .later: turn.outgoing.append(.vote(work, votes))
        }
    }

    package mutating func inputDamaged(_ work: WorkID, _ digest: ContentDigest, at now: UInt64) {
        apply(.inputDamaged(work, digest, unsent: nil), at: now)
    }

    package mutating func verified(_ work: WorkID, at now: UInt64) { apply(.verified(work), at: now) }

    /// They have ended long enough ago.
    package mutating func forget(_ runs: [RunID], at now: UInt64) {
        for run in runs { apply(.forget(run), at: now) }
    }

    // MARK: - Events and what follows

    mutating func apply(
        _ event: SchedulerEvent, _ connection: ConnectionID? = nil, _ requestID: UInt32 = 0, at now: UInt64
    ) {
        follow(scheduler.apply(event, at: Int64(now)), connection, requestID, at: now)
    }

    mutating func follow(
        _ actions: [SchedulerAction], _ connection: ConnectionID? = nil, _ requestID: UInt32 = 0, at now: UInt64
    ) {
        for action in actions {
            switch action {
            case .persist(let change): turn.changes.append(change)
            case .answer(let message):
                guard let connection else { continue }
                answer(message, requestID, connection)
            case .send(let message, let name): tell(name, message, at: now)
            case .vote(let work, let votes): turn.outgoing.append(.vote(work, votes))
            case .discard(let digest): discard(digest, of: connection)
            case .verify(let work, let suspects): turn.outgoing.append(.verify(work, suspects))
            }
        }
    }

    private mutating func answer(_ message: Message, _ requestID: UInt32, _ connection: ConnectionID) {
        switch message {
        case .heartbeatAnswer: turn.atOnce.append(.send(message, requestID: requestID, to: connection))
        case .refusal(let refusal):
            let bounded = Refusal(code: refusal.code, message: Texts.bounded(refusal.message))
            turn.outgoing.append(.send(.refusal(bounded), requestID: requestID, to: connection))
        default: turn.outgoing.append(.send(message, requestID: requestID, to: connection))
        }
    }

    /// A message of the coordinator's own. A checkpoint to go on from is looked at once more before it is named.
    private mutating func tell(_ name: WorkerName, _ message: Message, at now: UInt64) {
        if case .assignment(let assignment) = message, let resume = assignment.resume,
            byteCount(of: resume.blob.digest) != resume.blob.byteCount
        {
            let lease = assignment.lease
            // Cut: kept by its name for whoever wants to know why.
            turn.atOnce.append(.setAside(resume.blob.digest))
            return apply(.inputDamaged(lease.work, resume.blob.digest, unsent: lease), at: now)
        }
        guard let worker = workerConnections[name] else { return }
        if case .assignment(let assignment) = message {
            peers[worker]?.leases.add(assignment.lease, of: name, by: scheduler)
        }
        turn.outgoing.append(.send(message, requestID: 0, to: worker))
    }
}
