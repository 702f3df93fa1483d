import Protocol

// The vote: the coordinator's own piece of work, between predict and finish.

extension Scheduler {
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
        works[predict]!.failureCount += 1
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
