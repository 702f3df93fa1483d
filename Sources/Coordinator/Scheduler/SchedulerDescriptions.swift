import Protocol

// Actions as text: for the log, and for the golden transcripts of the tests.

extension SchedulerAction: CustomStringConvertible {
    package var description: String {
        switch self {
        case .persist(let change): return "persist \(change)"
        case .answer(let message): return "answer \(message.brief)"
        case .send(let message, let worker): return "send \(worker): \(message.brief)"
        case .vote(let work, let votes): return "vote \(work): \(votes.map(\.name).joined(separator: " "))"
        case .discard(let digest): return "discard \(digest)"
        case .verify(let work, let blobs): return "verify \(work): \(blobs.map(\.name).joined(separator: " "))"
        }
    }
}

extension StoreChange: CustomStringConvertible {
    package var description: String {
        switch self {
        case .runAdded(let run, let request, let first):
            return "\(run) added: \(request.plan.name) \(request.recipe), works \(first.value) to "
                + "\(first.value + UInt64(request.layout.workCount) - 1)"
        case .itemsAdded(let run, let first, let work, let items):
            return "\(run) has \(items.count) more items from \(first) on, works from \(work.value) on"
        case .itemsCollected(let run, let items): return "\(run): \(items.count) answers are collected"
        case .itemsClosed(let run): return "\(run): no more items come"
        case .runReopened(let run, let works):
            let list = works.map { "\($0.work.value) \($0.state.name)" }
            return "\(run) reopened: works \(list.joined(separator: ", "))"
        case .runEnded(let run, let refused): return "\(run) ended, \(refused) refused"
        case .runCancelled(let run): return "\(run) cancelled"
        case .runForgotten(let run): return "\(run) forgotten"
        case .runPaused(let run): return "\(run) paused"
        case .runResumed(let run): return "\(run) resumed"
        case .arithmeticChosen(let run, let digest): return "\(run) has begun with arithmetic \("\(digest)".prefix(12))"
        case .runPrioritised(let run, let priority): return "\(run) has priority \(priority)"
        case .leaseGranted(let lease, let worker, let iteration):
            return "\(lease) leased to \(worker)\(Self.from(iteration))"
        case .backupGranted(let lease, let worker, let iteration, let why):
            return "\(lease) leased to \(worker) as a backup\(Self.from(iteration)): \(why)"
        case .leaseEnded(let lease, let worker, let end): return "\(lease) of \(worker) \(end.word): \(end.message)"
        case .leaseRevived(let lease, let worker): return "\(lease) of \(worker) revived"
        case .checkpointAccepted(let lease, let worker, let checkpoint, let metrics):
            return "\(lease) of \(worker) checkpoint \(checkpoint.iteration), \(metrics.count) metrics"
        case .checkpointDropped(let work, let iteration):
            return "\(work) checkpoint \(iteration) dropped: its file is gone or damaged"
        case .metricsAccepted(let lease, let worker, let metrics):
            let last = metrics.last.map { ", to iteration \($0.iteration)" } ?? ""
            return "\(lease) of \(worker) \(metrics.count) more metrics\(last)"
        case .resultAccepted(let result, let worker):
            let names = result.outputs.map { "\($0.role) \($0.name)" }
            return "\(result.lease) of \(worker) done: \(names.joined(separator: ", "))"
        case .workReady(let work): return "\(work) ready"
        case .workVoting(let work): return "\(work) voting"
        case .votesCounted(let work, let blob): return "\(work) votes counted: \(blob.name)"
        case .votesDamaged(let work, let sources, let message):
            return "\(work) votes damaged, \(Self.list(sources)) made again: \(message)"
        case .outputsDamaged(let work, let state, let waiting):
            return "\(work) \(state.name) again: what it made is damaged; \(Self.list(waiting)) waits"
        case .outputsReleased(let work): return "\(work) has been read"
        case .workRefused(let work, let cause, let message): return "\(work) refused (\(cause)): \(message)"
        case .messageRefused(let lease, let worker, let why): return "\(lease) of \(worker) turned down: \(why)"
        case .workerConnected(let worker, let facts):
            return "worker \(worker) connected: \(facts.device), \(facts.threadCount) threads"
        case .workerDisconnected(let worker): return "worker \(worker) disconnected"
        case .workerDrained(let worker): return "worker \(worker) is asked to leave"
        case .checkAdded(let check):
            let part = check.until > 0 ? " from iteration \(check.base?.iteration ?? 0) to \(check.until)" : ""
            return "\(check.work) of \(check.opinions[0].worker) is to be checked\(part)"
        case .checkLeased(let lease, let worker, let work): return "\(work) is checked by \(worker), \(lease)"
        case .checkDiffers(_, let work, let opinions):
            let names = opinions.map(\.worker).joined(separator: ", ")
            return "\(work) gave different bytes: \(names) do not agree, one more is asked"
        case .checkEnded(_, let work, let opinions, let isRight, _):
            let names = opinions.map(\.worker).joined(separator: ", ")
            return "\(work) was checked by \(names): \(isRight ? "right" : "what counted so far is wrong")"
        case .checkDropped(_, let work, let why, _): return "\(work) is not checked: \(why)"
        case .machineSetAside(let machine, let why): return "machine '\(machine)' is set aside: \(why)"
        case .machineReadmitted(let machine): return "machine '\(machine)' is trusted again"
        case .worksMadeAgain(_, let works, let why):
            return "\(works.count) works are made again, because \(why): \(Self.list(works.prefix(20).map(\.work)))"
        }
    }
}

extension StoreChange {
    private static func list(_ works: [WorkID]) -> String {
        works.isEmpty ? "nobody" : works.map(\.description).joined(separator: ", ")
    }

    private static func from(_ iteration: UInt32?) -> String { iteration.map { ", from iteration \($0)" } ?? "" }
}

extension Message {
    /// A line for people; only what the scheduler sends is spelt out.
    package var brief: String {
        switch self {
        case .assignment(let assignment):
            let description = assignment.description
            var text = "assignment \(assignment.lease) \(description.step)"
            if description.kind == .session {
                text += " replica \(description.replica) from \(assignment.resume?.iteration ?? 0)"
            }
            let inputs = description.inputs.map { "\($0.role) \($0.name)" }
            return text + " [\(inputs.joined(separator: ", "))]"
        case .revoke(let lease): return "revoke \(lease)"
        case .leave: return "leave"
        case .accepted: return "accepted"
        case .heartbeatAnswer: return "heartbeatAnswer"
        case .submitted(let run): return "submitted \(run)"
        case .refusal(let refusal): return "refusal \(refusal.code): \(refusal.message)"
        default: return "message"
        }
    }
}
