import Protocol

// How the works of a plan hang together. The scheduler knows kinds of steps and never their names.

extension Scheduler {
    package func step(of work: WorkRecord) -> Step { runs[work.run]!.plan.steps[work.step] }

    /// What people call it: "replica-3", an item's name.
    package func name(of work: WorkRecord) -> String { runs[work.run]!.name(ofStep: work.step, index: work.index) }

    /// The works whose outputs a work reads by one of its inputs; none for what was submitted.
    func producers(of work: WorkRecord, by input: StepInput) -> [WorkID] {
        guard case .step(let earlier) = input.source else { return [] }
        return works(of: earlier, beside: work)
    }

    func producers(of work: WorkRecord) -> [WorkID] {
        step(of: work).inputs.flatMap { producers(of: work, by: $0) }
    }

    /// The works that read what this one makes.
    func consumers(of work: WorkRecord) -> [WorkID] {
        runs[work.run]!.readers[work.step].flatMap { works(of: $0, beside: work) }
    }

    /// Those of another step that belong together with a work: of the same replica or item where both steps are done
    /// for each, else all.
    private func works(of step: Int, beside work: WorkRecord) -> [WorkID] {
        let run = runs[work.run]!
        if run.plan.steps[step].fan == run.plan.steps[work.step].fan { return [run.work(step, work.index)] }
        return (0..<run.layout.counts[step]).map { run.work(step, $0) }
    }

    /// Whether everything that a work reads is there.
    func isSupplied(_ work: WorkRecord) -> Bool {
        let run = runs[work.run]!, fan = run.plan.steps[work.step].fan
        return run.plan.steps[work.step].inputs.allSatisfy { input in
            guard case .step(let earlier) = input.source else { return true }
            if run.plan.steps[earlier].fan == fan { return works.state(of: run.work(earlier, work.index)) == .done }
            if run.isOpen, run.plan.steps[earlier].fan == .item { return false }
            return run.counts[earlier].done == run.layout.counts[earlier]
        }
    }

    /// What a result makes possible, and what is needed no more.
    mutating func goOn(after id: WorkID, at nowMilliseconds: Int64) {
        for consumer in consumers(of: works[id]!) { beginIfSupplied(consumer, at: nowMilliseconds) }
        for producer in producers(of: works[id]!) { releaseIfConsumed(producer) }
        settle(after: id)
        endRunIfComplete(works[id]!.run)
    }

    mutating func beginIfSupplied(_ id: WorkID, at nowMilliseconds: Int64) {
        guard works.state(of: id) == .waiting, let work = works[id], isSupplied(work) else { return }
        if work.kind == .vote {
            set(id, .voting)
            actions.append(.persist(.workVoting(id)))
            requestVote(id)
        } else {
            makeReady(id, at: nowMilliseconds)
            actions.append(.persist(.workReady(id)))
        }
    }

    /// What every reader has read goes, where the plan says so. Readers that were refused may be tried again.
    mutating func releaseIfConsumed(_ id: WorkID) {
        let work = works[id]!
        guard step(of: work).keep == .untilConsumed, !work.outputs.isEmpty,
            consumers(of: work).allSatisfy({ works.state(of: $0) == .done && checks.count(of: $0) == 0 })
        else { return }
        works[id]!.outputs = []
        actions.append(.persist(.outputsReleased(id)))
    }

    /// What depends on a work that was refused is refused with it.
    mutating func refuseConsumers(of id: WorkID, _ cause: RefusalCause, _ message: String) {
        let why = cause == .dependency
            ? message : "not made, because \(name(of: works[id]!)) was refused: \(message)"
        for consumer in consumers(of: works[id]!) where works.state(of: consumer) == .waiting {
            refuse(consumer, .dependency, why)
        }
    }

    /// What a step has made is gone or damaged on the coordinator's disk: it is made again, and those that wait for it
    /// wait again. What has read it already is done and stays so: it would be the same.
    mutating func redo(_ id: WorkID, at nowMilliseconds: Int64) {
        guard let work = works[id], work.state == .done else { return }
        var waiting: [WorkID] = []
        for consumer in consumers(of: work) where !works[consumer]!.state.isFinal {
            withdraw(consumer, because: "what it reads was damaged on the coordinator's disk")
            works[consumer]!.forgetFailures()
            waiting.append(consumer)
        }
        undo(id)
        let state: WorkState = work.kind == .vote ? .voting : .ready
        actions.append(.persist(.outputsDamaged(id, state, waiting: waiting)))
        if work.kind == .vote {
            set(id, .voting)
            requestVote(id)
        } else {
            makeReady(id, at: nowMilliseconds)
        }
    }

    /// From done to waiting, with nothing made.
    mutating func undo(_ id: WorkID) {
        works[id]!.outputs = []
        set(id, .waiting)
        works[id]!.doneEpoch = nil
    }

    /// Back to waiting; whoever is at it is told.
    private mutating func withdraw(_ id: WorkID, because why: String) {
        let work = works[id]!
        for lease in work.state == .leased ? work.liveLeases : work.lease.map({ [$0] }) ?? [] {
            actions.append(.persist(.leaseEnded(work.id(of: lease), lease.worker, .revoked(why))))
            if !lease.hasLapsed { revoke(work.id(of: lease), of: lease.worker) }
        }
        leave(id)
        works[id]!.lease = nil
        works[id]!.backup = nil
        set(id, .waiting)
    }
}
