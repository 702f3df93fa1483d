import Protocol

// Leaving: what is begun is handed back, within a bounded time.
extension WorkerState {
    mutating func startDrain() {
        guard drain == nil, !connection.isClosed else { return }
        drain = (since: now, hasInterrupted: false)
        guard !works.isEmpty else { return }
        if connection.service != nil {
            actions.append(.log("leaving; \(leases) \(works.count == 1 ? "is" : "are") handed back"))
        } else {
            actions.append(.problem("leaving; the coordinator is not there: \(unreturned)"))
        }
        for work in works {
            switch work.phase {
            case .fetching: giveBack(work.lease, .drained, "the worker leaves")
            case .computing:
                change(work.lease) { $0.stop() }
                actions.append(.stopCompute(work.lease))
            case .stopping, .uploading, .handingOver, .givingBack: break
            }
        }
    }

    private var leases: String { works.map(\.lease.description).joined(separator: ", ") }

    /// What becomes of the leases when the worker leaves and the coordinator has not come back.
    var unreturned: String {
        "\(leases) will be given to another when \(works.count == 1 ? "its lease ends" : "their leases end")"
    }

    mutating func pumpDrain() {
        guard let drain else { return }
        if works.isEmpty && threadLease == nil || now >= drain.since + WorkerLimits.drainMilliseconds {
            return leave(.drained)
        }
        if !drain.hasInterrupted, now >= drain.since + WorkerLimits.drainStepMilliseconds {
            self.drain?.hasInterrupted = true
            for work in works where work.phase == .stopping { actions.append(.interruptStep(work.lease)) }
        }
    }
}
