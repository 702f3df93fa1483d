import Protocol

// Which works can be leased, and by whom first. A work is *kept* for the worker that did an earlier step of the same
// item and still holds something of it, where the plan says so; it is *reserved* while only that worker may have it:
// for `preferenceMilliseconds`, and as long as it is connected. `RunRecord.ready` lists what anyone may have.

extension Scheduler {
    /// Puts a work that is ready on the lists.
    mutating func list(_ id: WorkID, at nowMilliseconds: Int64) {
        isWorkNew = true
        guard let holder = holder(for: id) else { return open(id) }
        works[id]!.keptFor = holder
        kept[holder, default: SortedList()].insert(id)
        if mayBeReserved(id, for: holder, at: nowMilliseconds) {
            works[id]!.isReserved = true
        } else {
            open(id)
        }
    }

    mutating func unlist(_ id: WorkID) {
        let work = works[id]!
        if !work.isReserved { runs[work.run]!.ready[work.step].remove(id) }
        guard let holder = work.keptFor else { return }
        kept[holder]?.remove(id)
        if kept[holder]?.isEmpty == true { kept[holder] = nil }
        works[id]!.keptFor = nil
        works[id]!.isReserved = false
    }

    private mutating func open(_ id: WorkID) {
        if works[id]!.isReserved { works[id]!.isReserved = false }
        let work = works[id]!
        runs[work.run]!.ready[work.step].insert(id)
    }

    private func mayBeReserved(_ id: WorkID, for holder: WorkerName, at nowMilliseconds: Int64) -> Bool {
        guard workers[holder]?.isConnected == true, !isWithheld(id, from: holder, at: nowMilliseconds) else {
            return false
        }
        return nowMilliseconds < works[id]!.readySinceMilliseconds + configuration.preferenceMilliseconds
    }

    /// Who still holds something of the same item or replica.
    private func holder(for id: WorkID) -> WorkerName? {
        let work = works[id]!
        guard let affinity = step(of: work).affinity else { return nil }
        return works[runs[work.run]!.work(affinity, work.index)]!.doneBy
    }

    /// What a worker has to itself, or has no more, since it has come or gone.
    mutating func reserveAnew(for name: WorkerName, at nowMilliseconds: Int64) {
        for id in kept[name] ?? SortedList() {
            let mayBe = mayBeReserved(id, for: name, at: nowMilliseconds)
            if works[id]!.isReserved, !mayBe { open(id) }
            if !works[id]!.isReserved, mayBe {
                works[id]!.isReserved = true
                runs[works[id]!.run]!.ready[works[id]!.step].remove(id)
            }
        }
    }

    /// Time has passed.
    mutating func endReservations(at nowMilliseconds: Int64) {
        for id in kept.values.joined() where works[id]!.isReserved {
            if nowMilliseconds >= works[id]!.readySinceMilliseconds + configuration.preferenceMilliseconds { open(id) }
        }
    }

    /// Whether anybody could be given anything that is not reserved.
    func isAnythingReady(in order: [RunID]) -> Bool {
        order.contains { runs[$0]!.ready.contains { !$0.isEmpty } }
    }
}
