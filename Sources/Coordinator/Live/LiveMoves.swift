/// Where a replica was computed, and when: its leases, out of the audit.
package struct LiveMoves {
    package struct Stay: Encodable, Equatable {
        var worker: String
        var epoch: UInt64
        var isBackup = false
        /// Milliseconds since 1970; the end is absent while it goes on.
        var begin: Int64
        var end: Int64?
        /// The iteration that it began at, and how far it came.
        var from: UInt32
        var to: UInt32
        /// "done", "refused", or how it was lost; absent while it goes on.
        var outcome: String?
        /// In the audit's words.
        var why: String

        package init(
            worker: String, epoch: UInt64, isBackup: Bool = false, begin: Int64, end: Int64? = nil, from: UInt32,
            to: UInt32, outcome: String? = nil, why: String
        ) {
            (self.worker, self.epoch, self.isBackup) = (worker, epoch, isBackup)
            (self.begin, self.end, self.from, self.to) = (begin, end, from, to)
            (self.outcome, self.why) = (outcome, why)
        }
    }

    package struct Replica: Encodable, Equatable {
        var step: String
        var replica: Int
        package var stays: [Stay] = []
    }

    /// An event of a session, with its place in the plan.
    package struct Entry {
        var event: AuditEvent
        var step: String
        var replica: Int

        package init(event: AuditEvent, step: String, replica: Int) {
            (self.event, self.step, self.replica) = (event, step, replica)
        }
    }

    package private(set) var replicas: [Replica] = []

    /// - Parameter entries: oldest first.
    package init(_ entries: [Entry]) {
        for entry in entries { take(entry) }
        replicas.sort { ($0.step, $0.replica) < ($1.step, $1.replica) }
    }

    private mutating func take(_ entry: Entry) {
        let place = replicas.firstIndex { $0.step == entry.step && $0.replica == entry.replica } ?? {
            replicas.append(Replica(step: entry.step, replica: entry.replica))
            return replicas.count - 1
        }()
        let event = entry.event, milliseconds = event.wallMilliseconds
        guard let epoch = event.epoch else {
            // The work's own end without a result, whoever has it at that moment.
            guard event.kind == "refuse" else { return }
            for index in replicas[place].stays.indices where replicas[place].stays[index].end == nil {
                replicas[place].stays[index].finish(milliseconds, "refused", event.message)
            }
            return
        }
        if event.kind == "lease" || event.kind == "backup" {
            let from = event.iteration ?? 0
            replicas[place].stays.append(Stay(
                worker: event.worker ?? "", epoch: epoch, isBackup: event.kind == "backup", begin: milliseconds,
                from: from, to: from, why: event.message))
            return
        }
        // One whose beginning is no longer in the audit is not told of.
        guard let index = replicas[place].stays.lastIndex(where: { $0.epoch == epoch }) else { return }
        replicas[place].stays[index].take(event)
    }
}

extension LiveMoves.Stay {
    fileprivate mutating func take(_ event: AuditEvent) {
        if let iteration = event.iteration { to = max(to, iteration) }
        switch event.kind {
        case "release": finish(event.wallMilliseconds, event.outcome ?? "lost", event.message)
        case "revive": (end, outcome) = (nil, nil)
        case "result": finish(event.wallMilliseconds, "done", event.message)
        default: break
        }
    }

    fileprivate mutating func finish(_ milliseconds: Int64, _ outcome: String, _ why: String) {
        (end, self.outcome, self.why) = (milliseconds, outcome, why)
    }
}
