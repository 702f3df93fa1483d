import Protocol

// Runs: submitted, submitted again, cancelled.

extension Scheduler {
    mutating func submit(_ request: RunRequest, at nowMilliseconds: Int64) {
        if let problem = request.problem {
            return answerRefusal(.malformed, problem)
        }
        guard let known = runsByKey[request.idempotencyKey] else { return add(request, at: nowMilliseconds) }
        guard runs[known]!.asksForTheSame(as: request) else {
            return answerRefusal(
                .notAllowed,
                "the key '\(request.idempotencyKey)' belongs to \(known), which asks for something else; "
                    + "submit under another key")
        }
        if runs[known]!.state != .running { reopen(known, at: nowMilliseconds) }
        actions.append(.answer(.submitted(known)))
    }

    private mutating func add(_ request: RunRequest, at nowMilliseconds: Int64) {
        let id = RunID(nextRun)
        let first = WorkID(nextWork)
        nextRun += 1
        runs[id] = RunRecord(id: id, request: request, firstWork: first)
        nextWork += UInt64(runs[id]!.layout.workCount)
        runsByKey[request.idempotencyKey] = id
        activeRuns.insert(id)
        for new in request.newWorks(of: id, firstWork: first) { add(new, at: nowMilliseconds) }
        actions.append(.persist(.runAdded(id, request, firstWork: first)))
        actions.append(.answer(.submitted(id)))
    }

    mutating func add(_ new: NewWorks, at nowMilliseconds: Int64) {
        works.add(new)
        for work in new {
            runs[work.run]!.counts[work.step].add(work.state)
            if work.state == .ready { list(work.id, at: nowMilliseconds) }
        }
    }

    /// Tries again what was refused or cancelled.
    private mutating func reopen(_ id: RunID, at nowMilliseconds: Int64) {
        let again = runs[id]!.works.filter { works.state(of: $0) != .done && !isCollected($0, of: id) }
        guard !again.isEmpty || runs[id]!.isOpen else { return }
        runs[id]!.state = .running
        runs[id]!.endedMilliseconds = nil
        runs[id]!.isPaused = false
        // The pace is that of what begins now: what was cancelled took no time.
        (runs[id]!.begunMilliseconds, runs[id]!.concludedCount) = (nil, 0)
        activeRuns.insert(id)
        for work in again {
            set(work, .waiting)
            works[work]!.forgetAttempts()
            works[work]!.isBeingVerified = false
            works[work]!.avoided = [:]
        }
        var reopened: [ReopenedWork] = []
        var toVote: [WorkID] = []
        for work in again {
            let state = stateWithoutLease(of: work)
            reopened.append(ReopenedWork(work: work, state: state))
            if state == .ready { makeReady(work, at: nowMilliseconds) }
            if state == .voting {
                set(work, .voting)
                toVote.append(work)
            }
        }
        actions.append(.persist(.runReopened(id, reopened)))
        for work in toVote { requestVote(work) }
        for work in again where works[work]!.isPlain { works.settle(work) }
    }

    /// Whether nothing is kept any longer of the item that a work is of.
    func isCollected(_ work: WorkID, of run: RunID) -> Bool {
        let record = works[work]!
        return runs[run]!.plan.steps[record.step].fan == .item && runs[run]!.isCollected(record.index)
    }

    /// What a work's inputs allow.
    private func stateWithoutLease(of id: WorkID) -> WorkState {
        let work = works[id]!
        guard isSupplied(work) else { return .waiting }
        return work.kind == .vote ? .voting : .ready
    }

    mutating func cancel(_ id: RunID) {
        guard archived[id] == nil else { return actions.append(.answer(.accepted)) }
        guard let run = runs[id] else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        defer { actions.append(.answer(.accepted)) }
        guard run.state == .running else { return }
        // Everything is there, and only looked at once more: it ends.
        if run.remainingCount == 0, !run.isOpen {
            for check in checks.all(of: id) { dropCheck(check, "its run was cancelled") }
            return
        }
        actions.append(.persist(.runCancelled(id)))
        for id in run.works where works.state(of: id)?.isFinal == false {
            let work = works[id]!
            conclude(id, .cancelled)
            settle(after: id)
            for lease in work.liveLeases { revoke(work.id(of: lease), of: lease.worker) }
        }
        leaveActive(id, .cancelled)
        for check in checks.all(of: id) { dropCheck(check, "its run was cancelled") }
    }

    mutating func revoke(_ lease: Lease, of name: WorkerName) {
        if workers[name]?.isConnected == true { actions.append(.send(.revoke(lease), to: name)) }
    }

    mutating func answerRefusal(_ code: RefusalCode, _ message: String) {
        actions.append(.answer(.refusal(Refusal(code: code, message: message))))
    }
}
