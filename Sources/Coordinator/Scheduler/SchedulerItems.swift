import Protocol

// Items that come while a run goes on.

extension Scheduler {
    /// - Parameter first: the position of the first of them; those that are there already change nothing, so that a
    ///   client that has heard no answer may say it again.
    mutating func appendItems(_ id: RunID, first: Int, _ items: [ItemSubmission], at nowMilliseconds: Int64) {
        guard archived[id] == nil else { return answerClosed(id) }
        guard let run = runs[id] else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        let known = run.request.items
        if first + items.count <= known.count, isSaidAgain(items, of: run, from: first) {
            return actions.append(.answer(.accepted))
        }
        guard run.isOpen, run.state == .running else { return answerClosed(id) }
        guard first == known.count else {
            return answerRefusal(.malformed, "\(id) has \(known.count) items; others cannot begin at \(first)")
        }
        guard run.layout.workCount + items.count * run.layout.itemWorkCount <= Limits.runWorksMax else {
            return answerRefusal(.limit, "at most \(Limits.runWorksMax) works fit into one run: submit another one")
        }
        guard !items.isEmpty else { return actions.append(.answer(.accepted)) }
        add(items, to: id, at: nowMilliseconds)
        actions.append(.answer(.accepted))
    }

    /// Of what has been collected only the names are left.
    private func isSaidAgain(_ items: [ItemSubmission], of run: RunRecord, from first: Int) -> Bool {
        items.enumerated().allSatisfy { offset, item in
            let known = run.request.items[first + offset]
            return run.isCollected(first + offset) ? known.name == item.name : known == item
        }
    }

    /// The answers of these items are safe with the client. What is not ended, or still being compared with what
    /// another machine makes of it, stays; the client may say it again.
    mutating func collect(_ positions: [Int], of id: RunID) {
        guard archived[id] == nil else { return actions.append(.answer(.accepted)) }
        guard runs[id] != nil else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        let itemCount = runs[id]!.request.items.count
        guard positions.allSatisfy({ $0 < itemCount }) else {
            return answerRefusal(.malformed, "\(id) has \(itemCount) items; there is none behind them")
        }
        // No copy of the run may live while it changes: all of its items would be copied.
        let collected = collectable(positions, of: runs[id]!)
        for (item, ended) in collected {
            runs[id]!.collect(item)
            for work in ended {
                if works.isTouched(work) { works[work]!.outputs = [] }
                works.settle(work)
            }
        }
        if !collected.isEmpty { actions.append(.persist(.itemsCollected(id, collected.map(\.item)))) }
        actions.append(.answer(.accepted))
    }

    /// With the works of each.
    private func collectable(_ positions: [Int], of run: RunRecord) -> [(item: Int, works: [WorkID])] {
        Set(positions).sorted().filter { !run.isCollected($0) && hasEnded($0, of: run) }.map { item in
            (item, itemSteps(of: run).map { run.work($0, item) })
        }
    }

    private func itemSteps(of run: RunRecord) -> [Int] {
        run.plan.steps.indices.filter { run.plan.steps[$0].fan == .item }
    }

    private func hasEnded(_ item: Int, of run: RunRecord) -> Bool {
        itemSteps(of: run).allSatisfy { step in
            let work = run.work(step, item)
            return works.state(of: work)?.isFinal == true && checks.count(of: work) == 0
        } && itemSteps(of: run).allSatisfy { step in run.readers[step].allSatisfy { run.plan.steps[$0].fan == .item } }
    }

    private mutating func answerClosed(_ id: RunID) {
        answerRefusal(.notAllowed, "the items of \(id) are closed; submit another run for more")
    }

    private mutating func add(_ items: [ItemSubmission], to id: RunID, at nowMilliseconds: Int64) {
        let (first, firstWork) = (runs[id]!.request.items.count, WorkID(nextWork))
        runs[id]!.append(items, firstWork: firstWork)
        nextWork += UInt64(items.count * runs[id]!.layout.itemWorkCount)
        actions.append(.persist(.itemsAdded(id, first: first, firstWork: firstWork, items)))
        let added = NewWorks(of: runs[id]!.plan, items: first..<first + items.count, run: id, firstWork: firstWork)
        add(added, at: nowMilliseconds)
        // What they read of earlier steps may be there already.
        for work in added { beginIfSupplied(work.id, at: nowMilliseconds) }
    }

    /// No more come: what waits for all of them may begin, and the run may end.
    mutating func closeItems(_ id: RunID, at nowMilliseconds: Int64) {
        guard archived[id] == nil else { return actions.append(.answer(.accepted)) }
        guard let run = runs[id] else {
            return answerRefusal(.unknown, "there is no \(id); `quintet status` lists the runs")
        }
        defer { actions.append(.answer(.accepted)) }
        guard run.isOpen else { return }
        runs[id]!.setOpen(false)
        actions.append(.persist(.itemsClosed(id)))
        for step in run.plan.steps.indices where run.plan.steps[step].fan != .item {
            for index in 0..<run.layout.counts[step] { beginIfSupplied(run.work(step, index), at: nowMilliseconds) }
        }
        endRunIfComplete(id)
    }
}
