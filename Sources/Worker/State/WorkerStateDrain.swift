// Leaving: what is begun is handed back, within a bounded time.
extension WorkerState {
    mutating func startDrain() {
        guard drain == nil, !connection.isClosed else { return }
        drain = (since: now, hasInterrupted: false)
        guard let work else { return }
        actions.append(.log("leaving; \(work.lease) is handed back"))
        switch work.phase {
        case .fetching: giveBack(.drained, "the worker leaves")
        case .computing:
            self.work?.stop()
            actions.append(.stopCompute(work.lease))
        case .stopping, .delivering, .handingOver, .givingBack: break
        }
    }

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
