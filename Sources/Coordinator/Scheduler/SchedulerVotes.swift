import Protocol

// The vote: the coordinator's own piece of work, between predict and finish.

extension Scheduler {
    /// What a piece of work reads that lies on the coordinator's disk and can be made again. When the work fails, the
    /// disk may be at fault: worth a look. All the checkpoints that are kept: what spoilt one may have spoilt more.
    private func suspects(of id: WorkID) -> [BlobReference] {
        guard let work = works[id], !work.state.isFinal else { return [] }
        switch work.stage {
        case .train: return work.checkpoints.reversed().map(\.blob)
        case .finish: return (work.voted.map { [$0] } ?? []) + works[work.partner]!.votes
        case .calibrate, .predict: return []
        }
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

    mutating func makeAgain(_ digest: ContentDigest, for id: WorkID, unsent: Lease?) {
        guard let work = works[id], !work.state.isFinal else { return }
        switch work.stage {
        case .train: dropCheckpoint(of: id, digest, unsent: unsent)
        case .finish: if suspects(of: id).contains(where: { $0.digest == digest }) { countAgain(id) }
        case .calibrate, .predict: break
        }
    }

    /// Counting reads every vote, and finds out which of them have to be made again.
    private mutating func countAgain(_ finish: WorkID) {
        guard works[finish]!.voted != nil else { return }  // is being counted
        let work = works[finish]!
        for lease in work.state == .leased ? work.liveLeases : work.lease.map({ [$0] }) ?? [] {
            let end = LeaseEnd.revoked("its votes were damaged on the coordinator's disk")
            actions.append(.persist(.leaseEnded(work.id(of: lease), lease.worker, end)))
            if !lease.hasLapsed { revoke(work.id(of: lease), of: lease.worker) }
        }
        leave(finish)
        works[finish]!.lease = nil
        works[finish]!.backup = nil
        works[finish]!.state = .voting
        works[finish]!.voted = nil
        works[finish]!.forgetFailures()
        actions.append(.persist(.workVoting(finish)))
        requestVote(finish)
    }

    mutating func requestVote(_ finish: WorkID) {
        actions.append(.vote(finish, works[works[finish]!.partner]!.votes))
    }

    mutating func acceptVote(_ finish: WorkID, _ blob: BlobReference, at nowMilliseconds: Int64) {
        guard works[finish]?.state == .voting else { return }  // cancelled meanwhile
        var blob = blob
        blob.role = "voted"
        blob.name = runs[works[finish]!.run]!.request.volumes[works[finish]!.index].name
        works[finish]!.voted = blob
        makeReady(finish, at: nowMilliseconds)
        actions.append(.persist(.votesCounted(finish, blob)))
    }

    /// The votes are no use, so they are made again, a bounded number of times.
    mutating func retryVote(_ finish: WorkID, _ message: String, at nowMilliseconds: Int64) {
        guard works[finish]?.state == .voting else { return }
        let predict = works[finish]!.partner
        works[finish]!.state = .waiting
        works[predict]!.noteUselessResult()
        works[predict]!.outputs = []
        works[predict]!.state = .waiting
        runs[works[predict]!.run]!.remainingCount += 1
        actions.append(.persist(.votesDamaged(finish, message)))
        if works[predict]!.failureCount >= configuration.failuresMax {
            refuse(predict, .failed, "its votes could not be counted: \(message)")
        } else {
            makeReady(predict, at: nowMilliseconds)
        }
    }
}
