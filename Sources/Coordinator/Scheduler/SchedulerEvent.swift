import Protocol

/// What happens to the scheduler. The shell has checked everything that needs a disk before: the blobs that a message
/// names are there.
package enum SchedulerEvent: Sendable {
    /// A machine that was set aside is trusted again.
    case readmit(MachineName)
    /// A run that had left memory is there again; before it is submitted again.
    case revive(RecoveredRun)
    /// A run that has ended leaves memory: the store has all of it.
    case archive(RunID)
    case submit(RunRequest)
    /// More items of a run, from a position on.
    case appendItems(RunID, first: Int, [ItemSubmission])
    case closeItems(RunID)
    /// The answers of these items are safe with the client.
    case collect(RunID, items: [Int])
    case cancel(RunID)
    /// Nothing of a run that has ended is kept.
    case forget(RunID)
    case pause(RunID)
    case resume(RunID)
    case prioritise(RunID, Int32)
    /// The workers so called are to leave.
    case drain(String)
    /// A worker said hello; `held` are the leases that it still computes on.
    case workerConnected(WorkerName, WorkerFacts, held: [Lease])
    case workerDisconnected(WorkerName)
    /// The worker is ready for one more lease. Saying so twice is saying so once.
    case idle(WorkerName)
    case heartbeat(WorkerName, [LeaseProgress])
    case checkpointSaved(WorkerName, Lease, Checkpoint, [IterationFigures])
    case finished(WorkerName, WorkResult)
    case surrendered(WorkerName, Lease, SurrenderReason, String)
    /// The ballots of this vote are counted.
    case voted(WorkID, BlobReference)
    /// They could not be: a blob is gone or damaged, or their sizes differ.
    case voteFailed(WorkID, String)
    /// A blob that this work reads and that can be made again (`Scheduler.suspects`) is gone or not what it was:
    /// training goes on from the checkpoint before; votes are counted again. `unsent` is the lease whose assignment was
    /// held back for it.
    case inputDamaged(WorkID, ContentDigest, unsent: Lease?)
    /// The blobs of this work's latest `verify` have been looked at; what was damaged has been told.
    case verified(WorkID)
    /// The coordinator itself stood still for a while (a suspended machine); messages may be waiting unread.
    case wasAway
    /// Time has passed. The only event that lets leases run out; the shell gives it often.
    case tick

    /// What comes all the time and changes nothing for workers that had asked before, but by what becomes ready.
    var isFrequent: Bool {
        switch self {
        case .idle, .heartbeat, .checkpointSaved, .finished: true
        default: false
        }
    }

    /// The worker that the event is a sign of life of.
    var workerName: WorkerName? {
        switch self {
        case .workerConnected(let name, _, _), .idle(let name), .heartbeat(let name, _),
            .checkpointSaved(let name, _, _, _), .finished(let name, _), .surrendered(let name, _, _, _),
            .workerDisconnected(let name):
            return name
        case .revive, .archive, .submit, .appendItems, .closeItems, .collect, .cancel, .forget, .pause: return nil
        case .resume, .readmit, .prioritise, .drain, .voted, .voteFailed, .inputDamaged, .verified, .wasAway, .tick:
            return nil
        }
    }
}

/// What the shell has to do. All changes of one turn of its loop are committed in one transaction before anything of
/// that turn is answered, sent or voted on.
package enum SchedulerAction: Hashable, Sendable {
    case persist(StoreChange)
    /// The answer to the request that was the event.
    case answer(Message)
    case send(Message, to: WorkerName)
    /// Count these votes, one blob per voter in replica order, and report `voted` or `voteFailed`.
    case vote(WorkID, [BlobReference])
    /// An upload that nothing came of. Its file may go after the commit, unless the store knows it for another reason.
    case discard(ContentDigest)
    /// Read these blobs, report `inputDamaged` for each one that is not what it was, and then `verified`.
    case verify(WorkID, [BlobReference])
}

/// How a lease ends without a result.
package enum LeaseEnd: Hashable, Sendable {
    /// No sign of life in time; can be revived.
    case lapsed
    /// The same, beside another lease on the work: counted like it, but there is no way back.
    case lapsedBeside(String)
    /// Its worker came back without it; can be revived.
    case notHeld
    case drained
    case failed(String)
    case revoked(String)

    /// What `word` can be, for tables that want a row of each.
    static let allWords = ["lapsed", "not held", "drained", "failed", "revoked"]

    package var word: String {
        switch self {
        case .lapsed: return "lapsed"
        case .notHeld: return "not held"
        case .drained: return "drained"
        case .failed: return "failed"
        case .lapsedBeside, .revoked: return "revoked"
        }
    }

    /// Whether the work may have been the end of its worker.
    package var isLoss: Bool {
        switch self {
        case .lapsed, .lapsedBeside: return true
        case .notHeld, .drained, .failed, .revoked: return false
        }
    }

    /// Whether a sign of life of its worker may revive it.
    package var canRevive: Bool { self == .lapsed || self == .notHeld }

    package var message: String {
        switch self {
        case .lapsed: return "no sign of life in time"
        case .notHeld: return "its worker came back without it"
        case .drained: return "its worker leaves"
        case .failed(let message), .revoked(let message), .lapsedBeside(let message): return message
        }
    }
}

/// A change that must survive. Each also becomes one row of the audit.
package enum StoreChange: Hashable, Sendable {
    case runAdded(RunID, RunRequest, firstWork: WorkID)
    case itemsAdded(RunID, first: Int, firstWork: WorkID, [ItemSubmission])
    /// Inputs and answers of these items are not kept any longer.
    case itemsCollected(RunID, [Int])
    case itemsClosed(RunID)
    /// These works are tried again.
    case runReopened(RunID, [ReopenedWork])
    case runEnded(RunID, refusedCount: Int)
    case runCancelled(RunID)
    case runForgotten(RunID)
    case runPaused(RunID)
    case runResumed(RunID)
    case runPrioritised(RunID, Int32)
    /// How the workers compute that do its sessions.
    case arithmeticChosen(RunID, ContentDigest)
    /// With the iteration that a session goes on from; nil for other kinds.
    case leaseGranted(Lease, WorkerName, from: UInt32?)
    /// A second lease beside one that runs; why, for people.
    case backupGranted(Lease, WorkerName, from: UInt32?, why: String)
    case leaseEnded(Lease, WorkerName, LeaseEnd)
    case leaseRevived(Lease, WorkerName)
    case checkpointAccepted(Lease, WorkerName, Checkpoint, [IterationFigures])
    case checkpointDropped(WorkID, iteration: UInt32)
    /// More figures up to a checkpoint that was accepted before.
    case metricsAccepted(Lease, WorkerName, [IterationFigures])
    case resultAccepted(WorkResult, WorkerName)
    case workReady(WorkID)
    case workVoting(WorkID)
    case votesCounted(WorkID, BlobReference)
    /// The vote waits again, and the works that made its ballots are undone.
    case votesDamaged(WorkID, [WorkID], String)
    /// A work that was done is made again, because its outputs are damaged: it is ready or voting, and those wait.
    case outputsDamaged(WorkID, WorkState, waiting: [WorkID])
    /// What a work has made has been read by all who read it.
    case outputsReleased(WorkID)
    case workRefused(WorkID, RefusalCause, String)
    /// Nothing changes; the audit says that somebody tried.
    case messageRefused(Lease, WorkerName, String)
    case workerConnected(WorkerName, WorkerFacts)
    case workerDisconnected(WorkerName)
    /// Nothing changes; the audit says why a worker left.
    case workerDrained(WorkerName)
    case checkAdded(Check)
    case checkLeased(Lease, WorkerName, of: WorkID)
    /// The latest one disagrees with the others; one more is asked.
    case checkDiffers(WorkID, WorkID, [Opinion])
    /// Two agree; with what counts so far, or against it. Confirming: everything up to there has been looked at.
    case checkEnded(WorkID, WorkID, [Opinion], isRight: Bool, isConfirming: Bool)
    /// Missed: nobody will look at it any more, although it was asked for.
    case checkDropped(WorkID, WorkID, String, isMissed: Bool)
    case machineSetAside(MachineName, String)
    case machineReadmitted(MachineName)
    /// These wait again, with nothing made; why.
    case worksMadeAgain(RunID, [RemadeWork], String)
}

/// A work that a reopened run tries again.
package struct ReopenedWork: Hashable, Sendable {
    package var work: WorkID
    /// ready, waiting or voting.
    package var state: WorkState

    package init(work: WorkID, state: WorkState) {
        self.work = work
        self.state = state
    }
}
