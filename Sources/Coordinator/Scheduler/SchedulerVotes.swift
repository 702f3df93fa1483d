import Protocol

// The vote: the coordinator's own piece of work. And what is found damaged on the coordinator's disk.

extension Scheduler {
    /// What a piece of work reads that lies on the coordinator's disk and can be made again. When the work fails, the
    /// disk may be at fault: worth a look. All the checkpoints that are kept: what spoilt one may have spoilt more.
    private func suspects(of id: WorkID) -> [BlobReference] {
        guard let work = works[id], !work.state.isFinal else { return [] }
        guard work.kind != .session else { return work.checkpoints.reversed().map(\.blob) }
        return step(of: work).inputs.filter { canBeMadeAgain($0, for: work) }.flatMap { blobs(of: work, by: $0) }
    }

    /// What a vote or a task has made of the same item or replica. A session is too long to be done again, and what
    /// all others have made too much.
    private func canBeMadeAgain(_ input: StepInput, for work: WorkRecord) -> Bool {
        guard case .step(let earlier) = input.source else { return false }
        let steps = runs[work.run]!.plan.steps
        return steps[earlier].kind != .session && steps[earlier].fan == steps[work.step].fan
    }

    /// - Returns: false where there is nothing to look at.
    @discardableResult
    mutating func verifyInputs(of id: WorkID) -> Bool {
        let suspects = suspects(of: id)
        guard !suspects.isEmpty else { return false }
        works[id]!.isBeingVerified = true
        actions.append(.verify(id, suspects))
        return true
    }

    mutating func endVerification(of id: WorkID) {
        guard works[id]?.isBeingVerified == true else { return }  // of a life before, or ended meanwhile
        works[id]!.isBeingVerified = false
        // After a restart nobody has come back yet who could do it better.
        guard works[id]!.state == .ready, workers.values.contains(where: \.isConnected) else { return }
        refuseIfFailedTooOften(id)
    }

    mutating func refuseIfFailedTooOften(_ id: WorkID) {
        let work = works[id]!
        guard hasFailedTooOften(work) else { return }
        refuse(id, .failed, "failed \(work.failureCount) times, the last time \(work.lastFailure)")
    }

    mutating func makeAgain(_ digest: ContentDigest, for id: WorkID, unsent: Lease?, at nowMilliseconds: Int64) {
        if let check = checks[id] { return dropDamaged(check, wasSent: unsent == nil) }
        guard let work = works[id], !work.state.isFinal else { return }
        guard work.kind != .session else { return dropCheckpoint(of: id, digest, unsent: unsent) }
        for input in step(of: work).inputs where canBeMadeAgain(input, for: work) {
            guard blobs(of: work, by: input).contains(where: { $0.digest == digest }) else { continue }
            for producer in producers(of: work, by: input) { redo(producer, at: nowMilliseconds) }
        }
    }

    /// The ballots of a vote, in replica order.
    func ballots(of vote: WorkRecord) -> [BlobReference] {
        step(of: vote).inputs.flatMap { blobs(of: vote, by: $0) }
    }

    /// Whether these are the ballots that a vote waits for.
    package func counts(_ votes: [BlobReference], for vote: WorkID) -> Bool {
        works.state(of: vote) == .voting && ballots(of: works[vote]!) == votes
    }

    mutating func requestVote(_ vote: WorkID) {
        actions.append(.vote(vote, ballots(of: works[vote]!)))
    }

    mutating func acceptVote(_ vote: WorkID, _ blob: BlobReference, at nowMilliseconds: Int64) {
        guard works[vote]?.state == .voting else { return }  // cancelled meanwhile
        var blob = blob
        blob.role = "voted"
        blob.name = name(of: works[vote]!)
        conclude(vote, .done)
        works[vote]!.outputs = [blob]
        actions.append(.persist(.votesCounted(vote, blob)))
        goOn(after: vote, at: nowMilliseconds)
    }

    /// The ballots are no use, so they are made again, a bounded number of times.
    mutating func retryVote(_ vote: WorkID, _ message: String, at nowMilliseconds: Int64) {
        guard works[vote]?.state == .voting else { return }
        set(vote, .waiting)
        let sources = step(of: works[vote]!).inputs.flatMap { producers(of: works[vote]!, by: $0) }
            .filter { works[$0]!.state == .done }
        actions.append(.persist(.votesDamaged(vote, sources, message)))
        for source in sources {
            works[source]!.noteUselessResult()
            undo(source)
            if works[source]!.failureCount >= configuration.failuresMax {
                refuse(source, .failed, "its votes could not be counted: \(message)")
            } else {
                makeReady(source, at: nowMilliseconds)
            }
        }
    }

    /// How many ballots a task has to make, and of which role, because a vote counts them; nil where none does.
    func ballotsWanted(of work: WorkRecord) -> (role: String, count: Int)? {
        let run = runs[work.run]!
        for reader in run.readers[work.step] where run.plan.steps[reader].kind == .vote {
            let input = run.plan.steps[reader].inputs[0]
            // A ballot of each replica's task, or all of them of one.
            if run.plan.steps[work.step].fan == .replica { return (input.role, 1) }
            return (input.role, run.request.replicaCount)
        }
        return nil
    }
}
