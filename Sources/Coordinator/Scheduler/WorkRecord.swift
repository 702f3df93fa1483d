import Protocol

/// Why a piece of work ends without a result.
package enum RefusalCause: String, Hashable, Sendable {
    /// The input is at fault; trying again gives the same. Stays refused.
    case input
    /// It failed, or its workers were lost, too often. Submitting the run again tries it again.
    case failed
    /// Something it needs was refused. Follows that work's fate.
    case dependency
}

/// Where a piece of work stands. The only ways from one to the next:
///
///     waiting -> ready              its inputs are there
///     waiting -> voting             (vote) its ballots are there; the coordinator counts them
///     voting  -> done               (vote) the ballots are counted
///     voting  -> waiting            (vote) the ballots could not be read; they are made again
///     ready, leased -> waiting      what it reads was found damaged, and is made again
///     done    -> ready, voting      what it has made was found damaged before everybody had read it
///     ready   -> leased             a worker has it
///     leased  -> ready              the lease ran out, was given back, or the work failed there
///     leased, ready -> done         a result was accepted, under a lease that runs or has lapsed as the latest
///     leased, ready -> refused      its input is at fault, or it failed too often
///     waiting -> refused            what it needs was refused
///     anything but done and refused -> cancelled
///     refused, cancelled -> ready or waiting   the run was submitted again
package enum WorkState: Hashable, Sendable {
    /// Its inputs are not all there.
    case waiting
    /// The coordinator is counting its ballots (votes only).
    case voting
    /// Can be leased.
    case ready
    /// A worker has a lease that has not run out.
    case leased
    /// A result was accepted.
    case done
    /// Ended without a result; the message is in the store.
    case refused(RefusalCause)
    case cancelled

    package var isFinal: Bool {
        switch self {
        case .done, .refused, .cancelled: return true
        case .waiting, .voting, .ready, .leased: return false
        }
    }

    package var name: String {
        switch self {
        case .waiting: return "waiting"
        case .voting: return "voting"
        case .ready: return "ready"
        case .leased: return "leased"
        case .done: return "done"
        case .refused: return "refused"
        case .cancelled: return "cancelled"
        }
    }
}

/// The latest lease on a piece of work.
///
/// It *runs* until `expiresMilliseconds`; each sign of life of its worker moves that on. When it runs out it has
/// *lapsed*: the work is ready for anyone, and whoever is quicker has it: another worker, by a new epoch, or the old
/// one, by a sign of life that revives the lease. So a laptop that slept goes on with what it has. A lease that its
/// worker gave back is forgotten and cannot be revived; nor can one that is not the latest on its work.
///
/// While it runs, a *backup* may run beside it (SchedulerBackups.swift): a lease with an epoch of its own, the only
/// case in which two count. The first result ends the other.
package struct LeaseRecord: Sendable {
    package let worker: WorkerName
    package let epoch: UInt64
    package let grantedMilliseconds: Int64
    package var expiresMilliseconds: Int64
    /// Since when it is the first of its worker's; nil: it waits there behind another.
    package var begunMilliseconds: Int64?
    package var hasLapsed = false
    /// What the worker last said, and the first thing it said, for the rate.
    package var progress: LeaseProgress?
    package var progressMilliseconds: Int64 = 0
    package var firstIteration: UInt32 = 0
    package var firstFraction: Double = 0
    package var firstMilliseconds: Int64 = 0
    /// Session: whether it has made a step.
    package var hasBegun = false
    /// Whether it is of before the coordinator started, so that nobody knows when it was granted and how far it is.
    package var isRecovered = false
    /// Session: the checkpoint that it has begun with, or saved last; nil: none. Known of a lease of this life only.
    var base: Checkpoint?
    var isBaseKnown = false
    /// Checkpoints that its worker may be fetching still: their files stay until the first step.
    package var fetching: [ContentDigest] = []

    package init(worker: WorkerName, epoch: UInt64, grantedMilliseconds: Int64, expiresMilliseconds: Int64) {
        self.worker = worker
        self.epoch = epoch
        self.grantedMilliseconds = grantedMilliseconds
        self.expiresMilliseconds = expiresMilliseconds
    }

    /// The rate counts from the last word before the first step: preparing takes as long as it takes.
    mutating func note(_ progress: LeaseProgress, at nowMilliseconds: Int64) {
        if self.progress == nil || progress.iteration <= firstIteration && progress.fraction <= firstFraction {
            firstIteration = progress.iteration
            firstFraction = progress.fraction
            firstMilliseconds = nowMilliseconds
        }
        self.progress = progress
        progressMilliseconds = nowMilliseconds
        if progress.iteration > firstIteration { begin() }
    }

    private mutating func begin() {
        hasBegun = true
        fetching = []
    }

    /// A checkpoint may be ahead of the last heartbeat, or the first word since the coordinator started.
    mutating func note(reached checkpoint: LeaseProgress, at nowMilliseconds: Int64) {
        begin()
        guard let progress else { return note(checkpoint, at: nowMilliseconds) }
        guard progress.iteration < checkpoint.iteration else { return }
        self.progress!.iteration = checkpoint.iteration
        progressMilliseconds = nowMilliseconds
    }
}

/// The worker's name for people, unique per start of a process: "host:pid-9f2c1b04".
package typealias WorkerName = String

/// A piece of work as the scheduler knows it.
package struct WorkRecord: Sendable {
    package let id: WorkID
    package let run: RunID
    /// Its place in the run's plan.
    package let step: Int
    package let kind: StepKind
    /// The replica or the item; 0 for a step that is done once.
    package let index: Int
    package var state: WorkState
    /// The highest epoch ever granted; 0 before the first.
    package var epoch: UInt64 = 0
    /// The latest lease while it runs or has lapsed; nil when it was given back, or the work is final.
    package var lease: LeaseRecord?
    /// A second lease, only while the first one runs.
    package var backup: LeaseRecord?
    /// How often in a row it failed without a checkpoint in between, and without a reason found on the coordinator's
    /// disk; on all machines together.
    package internal(set) var failureCount = 0
    /// On whom it failed last, and why.
    package var lastFailure = ""
    /// Nobody gets it while the shell looks whether what it reads was damaged here.
    package var isBeingVerified = false
    /// How often in a row a lease ran out without a checkpoint in between; on all machines together.
    package internal(set) var lossCount = 0
    /// The same by machine.
    package internal(set) var attempts: [MachineName: Attempts] = [:]
    /// Who has had it in that row, and when the latest of these leases was granted: whoever was there then and has not
    /// had it, is worth a try whatever became of others on the same machine.
    var triedBy: Set<WorkerName> = []
    var triedMilliseconds: Int64 = 0
    /// Until when those on whom it failed do not get it again.
    package var avoided: [WorkerName: Int64] = [:]
    package var readySinceMilliseconds: Int64 = 0
    /// Ready: the worker that still holds something of it, and whether nobody else may have it yet.
    package internal(set) var keptFor: WorkerName?
    package internal(set) var isReserved = false
    /// The latest accepted checkpoints, oldest first, at most `checkpointsMax` (sessions only). The last one is where
    /// it goes on; those before it are for the day when its file is found damaged.
    package var checkpoints: [Checkpoint] = []
    /// The latest figures that reached the coordinator (sessions only).
    package var metric: IterationFigures?
    /// The accepted result, as long as other work needs it.
    package var outputs: [BlobReference] = []
    /// Whose result was accepted: it may still hold something.
    package var doneBy: WorkerName?
    /// The epoch under which the result was accepted.
    package var doneEpoch: UInt64?
    /// The machine on which the result was made.
    package var madeOn: MachineName?
    /// Whether another machine got the same; a session: to its end.
    package var isConfirmed = false
    /// Session: the last checkpoint to which another machine got the same, and who has had a part in it.
    package var trusted: Checkpoint?
    package var makers: Set<MachineName> = []

    package init(id: WorkID, run: RunID, step: Int, kind: StepKind, index: Int, state: WorkState) {
        self.id = id
        self.run = run
        self.step = step
        self.kind = kind
        self.index = index
        self.state = state
    }

    package static let checkpointsMax = 3

    /// The leases under which something would be accepted now.
    package var liveLeases: [LeaseRecord] {
        guard state == .leased, let lease else { return [] }
        return [lease] + (backup.map { [$0] } ?? [])
    }

    /// The one of an epoch, live or lapsed.
    func lease(_ epoch: UInt64) -> LeaseRecord? { [lease, backup].compactMap { $0 }.first { $0.epoch == epoch } }

    func id(of lease: LeaseRecord) -> Lease { Lease(work: id, epoch: lease.epoch) }

    /// Where a session goes on.
    package var checkpoint: Checkpoint? { checkpoints.last }
}

/// What a worker says of itself.
package struct WorkerFacts: Hashable, Sendable {
    package var build: String
    package var device: String
    package var threadCount: Int
    /// What it may have of its machine's memory; 0: it does not know.
    package var memoryByteCount: UInt64
    /// What its small fixed computation gave; nil: it has computed none.
    package var arithmetic: ContentDigest?

    package init(
        build: String, device: String, threadCount: Int, memoryByteCount: UInt64 = 0,
        arithmetic: ContentDigest? = nil
    ) {
        self.build = build
        self.device = device
        self.threadCount = threadCount
        self.memoryByteCount = memoryByteCount
        self.arithmetic = arithmetic
    }
}

/// A worker as the scheduler knows it. *connected*: there is a connection, messages can be sent. One that is
/// not connected keeps its leases until they run out.
package struct WorkerRecord: Sendable {
    package let name: WorkerName
    package var facts: WorkerFacts
    package var isConnected: Bool
    /// Somebody wants it to leave: it gets nothing more.
    package var isLeaving = false
    /// When it came, lost connections in between or not.
    package var sinceMilliseconds: Int64
    package var lastSeenMilliseconds: Int64
    /// How many times as long as usual its latest work took.
    package var slowness = 1.0
    /// What it has done last.
    var latestDone: WorkID?

    package init(name: WorkerName, facts: WorkerFacts, isConnected: Bool, lastSeenMilliseconds: Int64) {
        self.name = name
        self.facts = facts
        self.isConnected = isConnected
        self.sinceMilliseconds = lastSeenMilliseconds
        self.lastSeenMilliseconds = lastSeenMilliseconds
    }
}
