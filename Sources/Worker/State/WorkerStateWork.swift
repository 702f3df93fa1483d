import Protocol

// The work: assigned, fetched, computed, delivered, given back or abandoned.
extension WorkerState {
    // MARK: Beginning

    mutating func assigned(_ assignment: Assignment) {
        connection.service?.idleSaidAt = nil
        if let work {
            guard assignment.lease != work.lease else { return }
            guard assignment.lease.work == work.lease.work, assignment.lease.epoch > work.lease.epoch else {
                return decline(assignment, "the worker has other work")
            }
            abandon(work.lease, "a newer lease replaces it")
        }
        guard drain == nil else { return decline(assignment, "the worker leaves") }
        work = Work(assignment, pieceBytes: settings.pieceBytes)
        let recipe = assignment.description.recipe
        let replica = assignment.description.kind == .session ? ", replica \(assignment.description.replica)" : ""
        actions.append(.log("\(assignment.lease): \(assignment.description.step) of \(recipe)\(replica)"))
        let blobs = assignment.description.inputs + (assignment.resume.map { [$0.blob] } ?? [])
        let largest = blobs.max { $0.byteCount < $1.byteCount }
        if !settings.recipes.contains(recipe) {
            giveBack(.failed, "this worker (\(settings.build)) does not know the recipe \(recipe): update it")
        } else if let largest, largest.byteCount > Limits.blobBytesMax {
            giveBack(.inputRefused, "\(largest.name) has \(largest.byteCount) bytes; "
                + "a blob has at most \(Limits.blobBytesMax): split it")
        } else if let work, work.fetch.wantedBytes > settings.cacheBytesMax {
            giveBack(.failed, "the inputs have \(work.fetch.wantedBytes) bytes, the worker's cache is limited to "
                + "\(settings.cacheBytesMax): give it a larger cache")
        }
    }

    /// Gives back what was never begun; said once, since the lease expires anyway.
    mutating func decline(_ assignment: Assignment, _ reason: String) {
        actions.append(.send(.surrender(assignment.lease, .drained, reason), requestID: requests.next()))
    }

    mutating func pumpWork() {
        let isServing = connection.service != nil
        if work?.phase == .fetching {
            actions += work?.fetch.pump(isServing: isServing, requests: &requests, atMilliseconds: now) ?? []
            if let work, work.fetch.isComplete, threadLease == nil {
                self.work?.startComputing(atMilliseconds: now)
                threadLease = work.lease
                actions.append(.compute(work.assignment))
            }
        }
        if let work, let stuckAt = work.stuckMilliseconds(settings), now >= stuckAt {
            if work.phase == .fetching {
                let seconds = WorkerLimits.storageMilliseconds / 1_000
                giveBack(.failed, "\(work.fetch.obstacle ?? "the cache takes nothing") (for \(seconds) s)")
                untakenBytes = work.fetch.missingBytes
            } else {
                let seconds = settings.progressMilliseconds / 1_000
                giveBack(.failed, "no progress for \(seconds) s: the computation hangs")
                actions.append(.cancelCompute(work.lease))
            }
        }
        if let work, work.isCheckpointDue(isServing: isServing, atMilliseconds: now) {
            self.work?.askedForCheckpoint()
            actions.append(.takeCheckpoint(work.lease))
        }
        if isServing { actions += work?.pumpDelivery(requests: &requests, atMilliseconds: now) ?? [] }
    }

    // MARK: Ends of the compute thread's work

    mutating func computeEnded(_ lease: Lease, _ outcome: ComputeOutcome) {
        precondition(threadLease == lease, "the compute thread ends what it was given")
        threadLease = nil
        // Given back while it hung: what it comes to after all is not wanted.
        guard let work, work.lease == lease, work.phase != .givingBack else { return }
        switch outcome {
        case .done(let outputs, let reportJSON):
            self.work?.finish(outputs: outputs, reportJSON: reportJSON)
        case .cancelled:
            giveBack(.failed, "the work was interrupted without a reason")
        case .stopped(let taken?):
            self.work?.handOver(taken)
        case .stopped(nil):
            giveBack(.drained, "the worker leaves")
        case .inputsDamaged(let digests):
            actions.append(.problem("\(digests.count) blobs in the cache are damaged; fetching them again"))
            actions += digests.map { .discardBlob($0) }
            if self.work?.fetchAgain() == false {
                giveBack(.failed, "inputs that arrived whole were damaged in this worker's cache "
                    + "\(WorkerLimits.damageMax) times: check this machine's disk and memory")
            }
        case .inputRefused(let message):
            giveBack(.inputRefused, message)
        case .failed(let message):
            giveBack(.failed, message)
        }
    }

    // MARK: Answers

    mutating func answered(_ message: Message, _ requestID: RequestID) {
        if let work, work.phase == .fetching, work.fetch.awaits(requestID) {
            guard let (piece, verdict) = self.work?.fetch.answered(message, requestID: requestID, atMilliseconds: now)
            else { return }
            if let piece { actions.append(piece) }
            apply(verdict)
        } else if let delivery = work?.delivery, delivery.awaits(requestID) {
            let verdict = work?.withDelivery { $0.answered(message, requestID: requestID, atMilliseconds: now) }
            if let verdict { apply(verdict, of: delivery.statement) }
        } else if case .refusal(let refusal) = message, refusal.code == .staleLease, let work {
            // A heartbeat's: the one lease it named.
            abandon(work.lease, refusal.message)
        } else if case .refusal(let refusal) = message {
            actions.append(.log("the coordinator refused: \(refusal.message)"))
        }
    }

    mutating func apply(_ verdict: InputFetch.Verdict) {
        switch verdict {
        case .goesOn: break
        case .violation(let reason): hangUp(reason)
        case .hopeless(let reason): giveBack(.failed, reason)
        }
    }

    mutating func apply(_ verdict: Delivery.Verdict, of statement: Delivery.Statement) {
        guard let lease = work?.lease else { return }
        switch (verdict, statement) {
        case (.goesOn, _): break
        case (.violation(let reason), _): hangUp(reason)
        case (.stale, _): abandon(lease, "the coordinator has given it to another worker")
        case (.settled, .checkpoint(let checkpoint)):
            guard work?.settleCheckpoint(checkpoint) == true else { return }
            // Of two workers on one replica the one behind is told so, too: a later checkpoint is kept, not this one.
            actions.append(.log("\(lease): what was trained up to iteration \(checkpoint.iteration) is safe"))
            if work?.phase == .handingOver { giveBack(.drained, "the worker leaves") }
        case (.settled, .result):
            actions.append(.log("\(lease): done"))
            failureStreak = 0
            work = nil
        case (.settled, .surrender), (.hopeless, .surrender):
            work = nil
        case (.hopeless(let reason), .checkpoint):
            actions.append(.problem("\(lease): the coordinator does not take a checkpoint: \(reason)"))
            work?.dropCheckpoint()
            if work?.phase == .handingOver { giveBack(.drained, "the worker leaves; \(reason)") }
        case (.hopeless(let reason), .result):
            giveBack(.failed, "the coordinator does not take the result: \(reason)")
        }
    }

    // MARK: A cache that takes nothing

    /// Asking for work that it cannot keep would use up every work's attempts.
    mutating func probeCache(_ byteCount: UInt64) {
        guard !isProbing else { return }
        isProbing = true
        actions.append(.probeCache(byteCount: byteCount))
    }

    mutating func cacheProbed(_ problem: String?) {
        isProbing = false
        if problem == nil {
            untakenBytes = nil
            actions.append(.log("the cache takes something again: asking for work"))
        } else {
            restUntil = now + WorkerLimits.pauseMilliseconds
        }
    }

    // MARK: Ending without a result

    mutating func giveBack(_ reason: SurrenderReason, _ message: String) {
        guard let lease = work?.lease else { return }
        let line = "\(lease): given back: \(message)"
        // Who leaves without a coordinator gives nothing back, and has said so.
        if reason != .drained { actions.append(.problem(line)) } else if connection.service != nil {
            actions.append(.log(line))
        }
        work?.giveBack(reason, message)
        guard reason == .failed else { return }
        let rest = WorkerLimits.restFirstMilliseconds << min(failureStreak, 16)
        restUntil = now + min(rest, WorkerLimits.restLastMilliseconds)
        failureStreak += 1
    }

    /// Nothing of this lease will be accepted any more.
    mutating func abandon(_ lease: Lease, _ reason: String) {
        guard work?.lease == lease else { return }
        actions.append(.log("\(lease): abandoned: \(reason)"))
        work = nil
        if threadLease == lease { actions.append(.cancelCompute(lease)) }
    }
}
