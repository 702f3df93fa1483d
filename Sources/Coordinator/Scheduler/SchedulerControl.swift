import Protocol

// What people do to runs and workers that are under way: pause, resume, priority, forget, drain.

extension Scheduler {
    /// From now on the run gets no leases. What is under way ends; a training hands back with its next checkpoint, so
    /// that nothing is lost and the worker is free.
    mutating func pause(_ id: RunID) {
        guard isRunning(id, "can be paused") else { return }
        if !runs[id]!.isPaused {
            runs[id]!.isPaused = true
            actions.append(.persist(.runPaused(id)))
        }
        actions.append(.answer(.accepted))
    }

    mutating func resume(_ id: RunID) {
        guard isRunning(id, "can be resumed") else { return }
        if runs[id]!.isPaused {
            runs[id]!.isPaused = false
            actions.append(.persist(.runResumed(id)))
        }
        actions.append(.answer(.accepted))
    }

    mutating func prioritise(_ id: RunID, _ priority: Int32) {
        guard isRunning(id, "has a priority") else { return }
        if runs[id]!.priority != priority {
            runs[id]!.priority = priority
            actions.append(.persist(.runPrioritised(id, priority)))
        }
        actions.append(.answer(.accepted))
    }

    /// Answers a refusal where it is not.
    private mutating func isRunning(_ id: RunID, _ what: String) -> Bool {
        guard let state = runs[id]?.state ?? archived[id]?.state else {
            answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
            return false
        }
        guard state == .running else {
            answerRefusal(.notAllowed, "\(id) is \(state.rawValue); only a run that goes on \(what)")
            return false
        }
        return true
    }

    /// Nothing of a run is kept. Its number, and those of its works, are not given again.
    mutating func forget(_ id: RunID) {
        guard let key = runs[id]?.request.idempotencyKey ?? archived[id]?.idempotencyKey else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        guard runs[id]?.state != .running else {
            return answerRefusal(.notAllowed, "\(id) goes on; `quintet cancel \(id.value)` ends it")
        }
        if runs[id] != nil { archive(id) }
        archived[id] = nil
        runsByKey[key] = nil
        actions.append(.persist(.runForgotten(id)))
        actions.append(.answer(.accepted))
    }

    /// - Parameter called: a worker's name, the readable part of it, or a machine's: all workers there.
    mutating func drain(_ called: String, at nowMilliseconds: Int64) {
        let found = workers.values.filter {
            $0.isConnected && (called == $0.name || called == $0.name.readablePart || called == $0.name.machine)
        }.map(\.name).sorted()
        guard !found.isEmpty else {
            return answerRefusal(.unknown, "no worker that is connected is called '\(called)'; `quintet status` lists "
                + "them")
        }
        for name in found {
            workers[name]!.isLeaving = true
            idle.remove(name)
            reserveAnew(for: name, at: nowMilliseconds)
            actions.append(.persist(.workerDrained(name)))
            actions.append(.send(.leave, to: name))
        }
        actions.append(.answer(.accepted))
    }

    /// Ends the leases on a work, which is ready again.
    mutating func takeBack(_ id: WorkID, _ why: String, at nowMilliseconds: Int64) {
        let work = works[id]!
        for lease in work.liveLeases {
            actions.append(.persist(.leaseEnded(work.id(of: lease), lease.worker, .revoked(why))))
            revoke(work.id(of: lease), of: lease.worker)
        }
        makeReady(id, at: nowMilliseconds)
    }
}
