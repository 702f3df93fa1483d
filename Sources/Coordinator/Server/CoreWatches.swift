import Platform
import Protocol

/// Which connections want to hear when a run has changed: each once for each time it has asked.
struct Watches {
    private var watchers: [RunID: Set<ConnectionID>] = [:]
    private var watched: [ConnectionID: Set<RunID>] = [:]

    var isEmpty: Bool { watchers.isEmpty }

    /// - Returns: false where the connection watches as many other runs as it may.
    mutating func add(_ run: RunID, _ connection: ConnectionID) -> Bool {
        var runs = watched[connection, default: []]
        runs.insert(run)
        guard runs.count <= Limits.watchedRunsMax else { return false }
        watched[connection] = runs
        watchers[run, default: []].insert(connection)
        return true
    }

    /// Those who want to hear of a run; they have to ask again.
    mutating func take(_ run: RunID) -> [ConnectionID] {
        let connections = watchers.removeValue(forKey: run) ?? []
        for connection in connections { watched[connection]?.remove(run) }
        return connections.sorted()
    }

    /// All runs that anybody watches.
    var runs: [RunID] { watchers.keys.sorted() }

    mutating func forget(_ connection: ConnectionID) {
        for run in watched.removeValue(forKey: connection) ?? [] {
            watchers[run]?.remove(connection)
            if watchers[run]?.isEmpty == true { watchers[run] = nil }
        }
    }
}

// Clients that wait for a run hear of it instead of asking on and on.

extension CoordinatorCore {
    /// From now on: changes that are being committed count, too. The answer promises nothing.
    mutating func watch(_ run: RunID, _ requestID: UInt32, _ connection: ConnectionID) {
        guard scheduler.runs[run] != nil || scheduler.archived[run] != nil else {
            return refuse(.unknown, "there is no \(run); `quintet status` lists the runs", requestID, connection)
        }
        guard watches.add(run, connection) else {
            return refuse(.limit, "more than \(Limits.watchedRunsMax) runs watched at a time", requestID, connection)
        }
        turn.atOnce.append(.send(.accepted, requestID: requestID, to: connection))
    }

    /// What watchers are told of changes that are committed.
    mutating func news(of changes: [StoreChange]) -> [Outgoing] {
        guard !watches.isEmpty else { return [] }
        return news(of: Set(changes.compactMap(runWithNews)).sorted())
    }

    /// They are asked to read again.
    mutating func news(of runs: [RunID]) -> [Outgoing] {
        runs.flatMap { run in
            watches.take(run).map { .send(.changed(run), requestID: 0, to: $0) }
        }
    }

    /// The run of which there is more to read since a change; nil where only its works move, which everybody who shows
    /// that asks for anyway. What is told of a run that a later turn has forgotten is told with that turn.
    private func runWithNews(since change: StoreChange) -> RunID? {
        let subject = change.subject
        if let run = subject.run { return run }
        guard let work = subject.work.flatMap({ scheduler.works[$0] }), let run = scheduler.runs[work.run] else {
            return nil
        }
        switch change {
        case .checkpointAccepted, .metricsAccepted, .workRefused: return run.id
        case .resultAccepted, .votesCounted: return run.plan.isListed(work.step) ? run.id : nil
        default: return nil
        }
    }
}
