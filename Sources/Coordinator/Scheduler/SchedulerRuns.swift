import Protocol

// Runs: submitted, submitted again, cancelled.

extension Scheduler {
    mutating func submit(_ request: RunRequest, at nowMilliseconds: Int64) {
        if let problem = Self.problem(of: request) {
            return answerRefusal(.malformed, problem)
        }
        guard let known = runsByKey[request.idempotencyKey] else { return add(request, at: nowMilliseconds) }
        guard runs[known]!.request.asksForTheSame(as: request) else {
            return answerRefusal(
                .notAllowed,
                "the key '\(request.idempotencyKey)' belongs to \(known), which asks for something else; "
                    + "submit under another key")
        }
        if runs[known]!.state != .running { reopen(known, at: nowMilliseconds) }
        actions.append(.answer(.submitted(known)))
    }

    /// What is wrong with a request, for its sender.
    static func problem(of request: RunRequest) -> String? {
        let keyByteCount = request.idempotencyKey.utf8.count
        if keyByteCount == 0 || keyByteCount > Limits.idempotencyKeyBytesMax {
            return "the idempotency key has \(keyByteCount) bytes; it needs 1 to \(Limits.idempotencyKeyBytesMax)"
        }
        if request.replicaCount < 1 || request.replicaCount > Limits.replicasMax {
            return "a run of \(request.replicaCount) replicas; 1 to \(Limits.replicasMax) are possible"
        }
        let ownInputsMax = max(request.replicaCount, Limits.volumeInputsMax)
        if request.inputs.count + ownInputsMax > Limits.inputsMax {
            return "\(request.inputs.count) inputs; at most \(Limits.inputsMax - ownInputsMax) fit into one run"
        }
        switch request.kind {
        case .train:
            if request.iterationCount == 0 { return "a training of no iterations" }
            if !request.volumes.isEmpty { return "a training run has no volumes; segment has" }
        case .segment:
            if request.volumes.isEmpty { return "there is no volume to segment" }
            if request.volumes.count > Limits.manifestVolumesMax {
                return "\(request.volumes.count) volumes; at most \(Limits.manifestVolumesMax) fit into one run: "
                    + "split them"
            }
        }
        return nil
    }

    private mutating func add(_ request: RunRequest, at nowMilliseconds: Int64) {
        let id = RunID(nextRun)
        let first = WorkID(nextWork)
        nextRun += 1
        nextWork += UInt64(request.workCount)
        runs[id] = RunRecord(id: id, request: request, firstWork: first)
        runsByKey[request.idempotencyKey] = id
        activeRuns.insertSorted(id)
        for var work in Self.makeWorks(run: id, request: request, firstWork: first) {
            work.readySinceMilliseconds = nowMilliseconds
            works[work.id] = work
            if work.state == .ready { runs[id]!.insertReady(work.id, stage: work.stage) }
        }
        actions.append(.persist(.runAdded(id, request, firstWork: first)))
        actions.append(.answer(.submitted(id)))
    }

    /// The works that a new run starts with; the store makes its rows from the same list.
    package static func makeWorks(run: RunID, request: RunRequest, firstWork: WorkID) -> [WorkRecord] {
        (0..<request.workCount).map { offset in
            let id = WorkID(firstWork.value + UInt64(offset))
            switch request.kind {
            case .train where offset < request.replicaCount:
                return WorkRecord(id: id, run: run, stage: .train, index: offset, state: .ready)
            case .train:
                return WorkRecord(id: id, run: run, stage: .calibrate, index: 0, state: .waiting)
            case .segment where offset % 2 == 0:
                return WorkRecord(id: id, run: run, stage: .predict, index: offset / 2, state: .ready)
            case .segment:
                return WorkRecord(id: id, run: run, stage: .finish, index: offset / 2, state: .waiting)
            }
        }
    }

    /// Tries again what was refused or cancelled.
    private mutating func reopen(_ id: RunID, at nowMilliseconds: Int64) {
        let again = runs[id]!.works.filter { works[$0]!.state != .done }
        guard !again.isEmpty else { return }
        runs[id]!.state = .running
        runs[id]!.remainingCount = again.count
        runs[id]!.isPaused = false
        // The pace is that of what begins now: what was cancelled took no time.
        (runs[id]!.begunMilliseconds, runs[id]!.concludedCount) = (nil, 0)
        activeRuns.insertSorted(id)
        for work in again {
            works[work]!.state = .waiting
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
                works[work]!.state = .voting
                toVote.append(work)
            }
        }
        actions.append(.persist(.runReopened(id, reopened)))
        for work in toVote { requestVote(work) }
    }

    /// What a work's inputs allow.
    private func stateWithoutLease(of id: WorkID) -> WorkState {
        let work = works[id]!
        switch work.stage {
        case .train, .predict: return .ready
        case .calibrate: return replicasAreDone(of: work.run) ? .ready : .waiting
        case .finish:
            guard works[work.partner]!.state == .done else { return .waiting }
            return work.voted == nil ? .voting : .ready
        }
    }

    func replicasAreDone(of id: RunID) -> Bool {
        let run = runs[id]!
        return run.works.prefix(run.request.replicaCount).allSatisfy { works[$0]!.state == .done }
    }

    mutating func cancel(_ id: RunID) {
        guard let run = runs[id] else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        defer { actions.append(.answer(.accepted)) }
        guard run.state == .running else { return }
        actions.append(.persist(.runCancelled(id)))
        for id in run.works where !works[id]!.state.isFinal {
            let work = works[id]!
            conclude(id, .cancelled)
            for lease in work.liveLeases { revoke(work.id(of: lease), of: lease.worker) }
        }
        runs[id]!.state = .cancelled
        activeRuns.removeSorted(id)
    }

    mutating func revoke(_ lease: Lease, of name: WorkerName) {
        if workers[name]?.isConnected == true { actions.append(.send(.revoke(lease), to: name)) }
    }

    mutating func answerRefusal(_ code: RefusalCode, _ message: String) {
        actions.append(.answer(.refusal(Refusal(code: code, message: message))))
    }
}
