import Protocol

// Leaving: what is begun is handed back, within a bounded time.
extension WorkerState {
    mutating func startDrain() {
        guard drain == nil, !connection.isClosed else { return }
        drain = (since: now, hasInterrupted: false)
        guard let work else { return }
        if connection.service != nil {
            actions.append(.log("leaving; \(work.lease) is handed back"))
        } else {
            actions.append(.problem("leaving; the coordinator is not there: \(unreturned(work.lease))"))
        }
        switch work.phase {
        case .fetching: giveBack(.drained, "the worker leaves")
        case .computing:
            self.work?.stop()
            actions.append(.stopCompute(work.lease))
        case .stopping, .delivering, .handingOver, .givingBack: break
        }
    }

    /// What becomes of a lease when the worker leaves and the coordinator has not come back.
    func unreturned(_ lease: Lease) -> String { "\(lease) will be given to another when its lease ends" }

    mutating func pumpDrain() {
        guard let drain else { return }
        if work == nil && threadLease == nil || now >= drain.since + WorkerLimits.drainMilliseconds {
            return leave(.drained)
        }
        if !drain.hasInterrupted, now >= drain.since + WorkerLimits.drainStepMilliseconds {
            self.drain?.hasInterrupted = true
            if let work, work.phase == .stopping { actions.append(.interruptStep(work.lease)) }
        }
    }
}
