import Protocol

// Pieces of work: assigned, fetched, computed, uploaded, given back or abandoned.
extension WorkerState {
    // MARK: Beginning

    mutating func assigned(_ assignment: Assignment) {
        connection.service?.idleSaidAt = nil
        let lease = assignment.lease
        if let held = works.first(where: { $0.lease.work == lease.work }) {
            guard lease != held.lease else { return }
            guard lease.epoch > held.lease.epoch else { return decline(assignment, "the worker has other work") }
            abandon(held.lease, "a newer lease replaces it")
        }
        guard drain == nil else { return decline(assignment, "the worker leaves") }
        guard now >= restUntil else { return decline(assignment, "the worker rests after a failure") }
        guard canTakeMore else { return decline(assignment, "the worker has other work") }
        let work = Work(assignment, pieceBytes: settings.pieceBytes, seesShared: settings.seesShared)
        works.append(work)
        let recipe = assignment.description.recipe
        let replica = work.isSession ? ", replica \(assignment.description.replica)" : ""
        let purpose = work.isCheck ? "checks " : ""
        actions.append(.log("\(lease): \(purpose)\(assignment.description.step) of \(recipe)\(replica)"))
        let largest = assignment.blobs.max { $0.byteCount < $1.byteCount }
        if !settings.recipes.contains(recipe) {
            giveBack(lease, .failed, "this worker (\(settings.build)) does not know the recipe \(recipe): update it")
        } else if let largest, largest.byteCount > Limits.blobBytesMax {
            giveBack(lease, .inputRefused, "\(largest.name) has \(largest.byteCount) bytes; "
                + "a blob has at most \(Limits.blobBytesMax): split it")
        } else if work.fetch.wantedBytes > settings.cacheBytesMax {
            giveBack(lease, .failed, "the inputs have \(work.fetch.wantedBytes) bytes, the worker's cache is limited "
                + "to \(settings.cacheBytesMax): give it a larger cache")
        }
    }

    /// Gives back what was never begun; said once, since the lease expires anyway.
    mutating func decline(_ assignment: Assignment, _ reason: String) {
        actions.append(.send(.surrender(assignment.lease, .drained, reason), requestID: requests.next()))
    }

    mutating func pumpWork() {
        let isServing = connection.service != nil
        pumpFetches(isServing: isServing)
        startNext()
        prepareNext()
        for work in works {
            if let stuckAt = work.stuckMilliseconds(settings), now >= stuckAt { giveBackStuck(work) }
        }
        handOnWhatWaits()
        for index in works.indices where works[index].isCheckpointDue(isServing: isServing, atMilliseconds: now) {
            works[index].askedForCheckpoint()
            actions.append(.takeCheckpoint(works[index].lease))
        }
        if isServing { pumpUploads() }
    }

    private mutating func giveBackStuck(_ work: Work) {
        if work.phase == .fetching {
            let seconds = WorkerLimits.storageMilliseconds / 1_000
            giveBack(work.lease, .failed, "\(work.fetch.obstacle ?? "the cache takes nothing") (for \(seconds) s)")
            untakenBytes = work.fetch.missingBytes
        } else {
            let seconds = settings.progressMilliseconds / 1_000
            giveBack(work.lease, .failed, "no progress for \(seconds) s: the computation hangs")
            cancelThread(work.lease)
        }
    }

    // MARK: Ends of the compute thread's work

    mutating func computeEnded(_ lease: Lease, _ outcome: ComputeOutcome) {
        precondition(threadLease == lease, "the compute thread ends what it was given")
        threadLease = nil
        threadLeftAt = nil
        // Given back while it hung: what it comes to after all is not wanted.
        guard let work = work(lease), work.phase != .givingBack else { return }
        switch outcome {
        case .done(let outputs, let reportJSON, let seconds, let isShared):
            change(lease) {
                $0.finish(outputs: outputs, reportJSON: reportJSON, seconds: seconds, isShared: isShared)
            }
        case .cancelled:
            giveBack(lease, .failed, "the work was interrupted without a reason")
        case .stopped(let taken?):
            change(lease) { $0.handOver(taken) }
        case .stopped(nil):
            giveBack(lease, .drained, "the worker leaves")
        case .inputsDamaged(let digests):
            actions.append(.problem("\(digests.count) blobs in the cache are damaged; fetching them again"))
            actions += digests.map { .discardBlob($0) }
            if change(lease, { $0.fetchAgain() }) == false {
                giveBack(lease, .failed, "inputs that arrived whole were damaged in this worker's cache "
                    + "\(WorkerLimits.damageMax) times: check this machine's disk and memory")
            }
        case .inputRefused(let message):
            giveBack(lease, .inputRefused, message)
        case .failed(let message):
            giveBack(lease, .failed, message)
        }
    }

    // MARK: Answers

    mutating func answered(_ message: Message, _ requestID: RequestID) {
        if let index = works.firstIndex(where: { $0.phase == .fetching && $0.fetch.awaits(requestID) }) {
            let (piece, verdict) = works[index].fetch.answered(message, requestID: requestID, atMilliseconds: now)
            if let piece { actions.append(piece) }
            apply(verdict, of: works[index].lease)
        } else if let index = works.firstIndex(where: { $0.upload?.awaits(requestID) == true }) {
            let (lease, statement) = (works[index].lease, works[index].upload?.statement)
            let verdict = works[index].withUpload {
                $0.answered(message, requestID: requestID, atMilliseconds: now)
            }
            if let verdict, let statement { apply(verdict, of: statement, lease) }
        } else if case .refusal(let refusal) = message, refusal.code == .staleLease, requestID == heartbeatID,
            works.count == 1
        {
            // The one lease that the heartbeat named.
            abandon(works[0].lease, refusal.message)
        } else if case .refusal(let refusal) = message {
            actions.append(.log("the coordinator refused: \(refusal.message)"))
        }
    }

    mutating func apply(_ verdict: InputFetch.Verdict, of lease: Lease) {
        switch verdict {
        case .goesOn: break
        case .violation(let reason): hangUp(reason)
        case .tooLate(let reason): giveBack(lease, .drained, reason)
        case .hopeless(let reason): giveBack(lease, .failed, reason)
        }
    }

    mutating func apply(_ verdict: Upload.Verdict, of statement: Upload.Statement, _ lease: Lease) {
        switch (verdict, statement) {
        case (.goesOn, _): break
        case (.violation(let reason), _): hangUp(reason)
        case (.stale, _): abandon(lease, "the coordinator has given it to another worker")
        case (.settled, .checkpoint(let checkpoint)):
            guard change(lease, { $0.settleCheckpoint(checkpoint) }) == true else { return }
            // Of two workers on one replica the one behind is told so, too: a later checkpoint is kept, not this one.
            actions.append(.log("\(lease): what was trained up to iteration \(checkpoint.iteration) is safe"))
            if work(lease)?.phase == .handingOver { giveBack(lease, .drained, "the worker leaves") }
        case (.settled, .result):
            actions.append(.log("\(lease): done"))
            failureStreak = 0
            works.removeAll { $0.lease == lease }
        case (.settled, .surrender), (.hopeless, .surrender):
            works.removeAll { $0.lease == lease }
        case (.hopeless(let reason), .checkpoint):
            actions.append(.problem("\(lease): the coordinator does not take a checkpoint: \(reason)"))
            change(lease) { $0.dropCheckpoint() }
            if work(lease)?.phase == .handingOver { giveBack(lease, .drained, "the worker leaves; \(reason)") }
        case (.hopeless(let reason), .result):
            giveBack(lease, .failed, "the coordinator does not take the result: \(reason)")
        }
    }

    // MARK: What the cache says

    /// Those that have asked for this blob, or are about to: two pieces of work may read the same.
    func fetching(_ digest: ContentDigest) -> [Int] {
        works.indices.filter { works[$0].phase == .fetching && works[$0].fetch.needs.first?.digest == digest }
    }

    mutating func arrivedDamaged(_ digest: ContentDigest) {
        actions.append(.problem("blob \(digest) arrived damaged; fetching it again"))
        for index in fetching(digest) {
            apply(works[index].fetch.damaged(digest), of: works[index].lease)
        }
    }

    mutating func sharedMissing(_ digest: ContentDigest, _ reason: String) {
        actions.append(.log(reason))
        for index in fetching(digest) { works[index].fetch.sharedMissing(digest) }
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

    mutating func giveBack(_ lease: Lease, _ reason: SurrenderReason, _ message: String) {
        guard index(of: lease) != nil else { return }
        let line = "\(lease): given back: \(message)"
        // Who leaves without a coordinator gives nothing back, and has said so.
        if reason != .drained { actions.append(.problem(line)) } else if connection.service != nil {
            actions.append(.log(line))
        }
        change(lease) { $0.giveBack(reason, message) }
        // The coordinator takes it for the end of asking.
        connection.service?.idleSaidAt = nil
        guard reason == .failed else { return }
        for work in works where work.phase == .fetching {
            giveBack(work.lease, .drained, "this worker rests after a failure")
        }
        let rest = WorkerLimits.restFirstMilliseconds << min(failureStreak, 16)
        restUntil = now + min(rest, WorkerLimits.restLastMilliseconds)
        failureStreak += 1
    }

    /// Nothing of this lease will be accepted any more.
    mutating func abandon(_ lease: Lease, _ reason: String) {
        guard index(of: lease) != nil else { return }
        actions.append(.log("\(lease): abandoned: \(reason)"))
        works.removeAll { $0.lease == lease }
        cancelThread(lease)
    }
}
