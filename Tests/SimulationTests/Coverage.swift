import Coordinator
import Protocol
import Worker

/// Which transitions and which events in which states a simulation has been through.
struct Coverage {
    /// "ready -> leased" and the like, of the scheduler's works.
    private(set) var workSteps: [String: Int] = [:]
    /// "lapsed: finished": what is said of a piece of work, by where it stands.
    private(set) var workEvents: [String: Int] = [:]
    /// "computing -> uploading" of a worker's work, "away -> dialling" of its connection.
    private(set) var workerSteps: [String: Int] = [:]
    /// "computing + fetching: disconnected".
    private(set) var workerEvents: [String: Int] = [:]
    private var states: [WorkID: WorkState] = [:]

    mutating func coreHears(_ message: Message, of name: WorkerName, _ scheduler: Scheduler) {
        switch message {
        case .checkpointSaved(let lease, _, _): note("checkpoint", lease, name, scheduler)
        case .finished(let result): note("finished", result.lease, name, scheduler)
        case .surrender(let lease, let reason, _): note("surrendered \(reason)", lease, name, scheduler)
        case .heartbeat(let progress):
            for one in progress { note("heartbeat", one.lease, name, scheduler) }
        case .hello(let hello):
            for lease in hello.held { note("held", lease, name, scheduler) }
        default: break
        }
    }

    private mutating func note(_ event: String, _ lease: Lease, _ name: WorkerName, _ scheduler: Scheduler) {
        let standing: String = switch scheduler.standing(of: lease, of: name) {
        case .running: "running"
        case .lapsed: "lapsed"
        case .accepted: "accepted"
        case .stale: "stale"
        }
        workEvents["\(standing): \(event)", default: 0] += 1
    }

    /// What a coordinator had decided and not committed when it died was never so.
    mutating func schedulerRecovered(_ scheduler: Scheduler) {
        states = [:]
        for (id, state) in Self.states(of: scheduler) { states[id] = state }
    }

    private static func states(of scheduler: Scheduler) -> [(WorkID, WorkState)] {
        scheduler.runs.values.flatMap { $0.works.map { ($0, scheduler.works[$0]!.state) } }
    }

    mutating func schedulerDecided(_ scheduler: Scheduler) {
        for (id, state) in Self.states(of: scheduler) where states[id] != state {
            if let earlier = states[id] { workSteps["\(earlier.name) -> \(state.name)", default: 0] += 1 }
            states[id] = state
        }
    }

    /// How backups come and go.
    mutating func committed(_ change: StoreChange, _ before: CommittedState) {
        switch change {
        case .backupGranted: workEvents["backup: granted", default: 0] += 1
        case .leaseEnded(let lease, _, let end):
            guard before[lease.work]?.backup != nil else { return }
            workEvents["one of two: \(end.word)", default: 0] += 1
            if end.message.contains("overtaken") { workEvents["one of two: overtaken", default: 0] += 1 }
            if end.message.contains("quicker") { workEvents["one of two: beaten", default: 0] += 1 }
        default: break
        }
    }

    mutating func workerHears(
        _ event: WorkerEvent, from: (connection: String, works: [Lease: String]),
        to: (connection: String, works: [Lease: String])
    ) {
        if from.connection != to.connection {
            workerSteps["\(from.connection) -> \(to.connection)", default: 0] += 1
        }
        for lease in Set(from.works.keys).union(to.works.keys) where from.works[lease] != to.works[lease] {
            workerSteps["\(from.works[lease] ?? "none") -> \(to.works[lease] ?? "none")", default: 0] += 1
        }
        switch event {
        case .tick, .progressed: break
        default: workerEvents["\(Self.slots(from.works)): \(event.name)", default: 0] += 1
        }
    }

    /// "computing + fetching"; "none" without work.
    static func slots(_ works: [Lease: String]) -> String {
        works.isEmpty ? "none" : works.values.sorted().joined(separator: " + ")
    }

    mutating func merge(_ other: Coverage) {
        workSteps.merge(other.workSteps, uniquingKeysWith: +)
        workEvents.merge(other.workEvents, uniquingKeysWith: +)
        workerSteps.merge(other.workerSteps, uniquingKeysWith: +)
        workerEvents.merge(other.workerEvents, uniquingKeysWith: +)
    }
}

extension WorkerEvent {
    /// Without what it carries.
    var name: String {
        switch self {
        case .started: "started"
        case .tick: "tick"
        case .drainRequested: "drainRequested"
        case .connected: "connected"
        case .disconnected: "disconnected"
        case .rejected: "rejected"
        case .received(let message, _):
            switch message {
            case .assignment: "assignment"
            case .revoke: "revoke"
            case .accepted: "accepted"
            case .refusal(let refusal): "refusal \(refusal.code)"
            case .heartbeatAnswer: "heartbeatAnswer"
            default: "message"
            }
        case .blobHeld: "blobHeld"
        case .blobDamaged: "blobDamaged"
        case .sharedMissing: "sharedMissing"
        case .storageFull: "storageFull"
        case .storageFailed: "storageFailed"
        case .cacheProbed: "cacheProbed"
        case .progressed: "progressed"
        case .checkpointTaken: "checkpointTaken"
        case .computeEnded(_, let outcome):
            switch outcome {
            case .done: "done"
            case .cancelled: "cancelled"
            case .stopped: "stopped"
            case .inputsDamaged: "inputsDamaged"
            case .inputRefused: "inputRefused"
            case .failed: "failed"
            }
        }
    }
}

extension Simulation {
    /// Into the fingerprint: what a change is and whom it is about.
    func fold(_ change: StoreChange) {
        for byte in change.description.utf8 { fold(UInt64(byte)) }
    }
}
