import Protocol

/// All works of some runs. Most of them are *plain*: nobody has begun with them, or they have ended and nothing looks
/// back at them. Of these a state and an epoch are kept; the record is made anew when somebody asks. The others, which
/// are under way, are kept whole.
package struct WorkTable: Sendable {
    private struct Plain {
        var state: UInt8
        var isConfirmed = false
        /// Among `machines`; 0: none.
        var machine: UInt16 = 0
        var epoch: UInt32
    }

    /// Works with consecutive numbers.
    private struct Block {
        var works: NewWorks
        var plains: [Plain]
        var first: UInt64 { works.firstWork.value }
    }

    /// In the order of their numbers.
    private var blocks: [Block] = []
    private var touched: [WorkID: WorkRecord] = [:]
    /// Where results of plain works were made; the first one stands for none.
    private var machines: [MachineName] = [""]
    private var machineNumbers: [MachineName: UInt16] = [:]

    package init() {}

    private mutating func number(of machine: MachineName?) -> UInt16 {
        guard let machine else { return 0 }
        if let number = machineNumbers[machine] { return number }
        guard let number = UInt16(exactly: machines.count) else { return 0 }
        machines.append(machine)
        machineNumbers[machine] = number
        return number
    }

    /// How many records are kept whole.
    package var touchedCount: Int { touched.count }

    /// All of a run that begins, or of items that come.
    package mutating func add(_ works: NewWorks) {
        guard !works.isEmpty else { return }
        let plains = works.map { Plain(state: Self.code(of: $0.state)!, epoch: 0) }
        let place = self.place(of: works.firstWork.value)
        if place > 0, blocks[place - 1].works.isContinued(by: works) {
            blocks[place - 1].works.append(works)
            blocks[place - 1].plains += plains
        } else {
            blocks.insert(Block(works: works, plains: plains), at: place)
        }
    }

    package mutating func add(_ other: WorkTable) {
        let numbers = other.machines.map { $0.isEmpty ? 0 : number(of: $0) }
        for var block in other.blocks {
            for offset in block.plains.indices {
                block.plains[offset].machine = numbers[Int(block.plains[offset].machine)]
            }
            blocks.insert(block, at: place(of: block.first))
        }
        touched.merge(other.touched) { $1 }
    }

    /// - Parameter works: of the run, all.
    mutating func remove(_ run: RunID, works: some Sequence<WorkID>) {
        for work in works { touched[work] = nil }
        blocks.removeAll { $0.works.run == run }
    }

    /// The first block that begins behind a number.
    private func place(of number: UInt64) -> Int {
        var low = 0, high = blocks.count
        while low < high {
            let middle = (low + high) / 2
            if blocks[middle].first <= number { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Where a work's plain form is; nil where there is no such work.
    private func find(_ id: WorkID) -> (block: Int, offset: Int)? {
        let block = place(of: id.value) - 1
        guard block >= 0 else { return nil }
        let offset = id.value - blocks[block].first
        return offset < blocks[block].plains.count ? (block, Int(offset)) : nil
    }

    private func plain(_ id: WorkID) -> WorkRecord? {
        guard let (block, offset) = find(id) else { return nil }
        let work = blocks[block].works[offset], plain = blocks[block].plains[offset]
        let state = Self.state(of: plain.state)
        var record = WorkRecord(
            id: id, run: work.run, step: work.step, kind: work.kind, index: work.index, state: state)
        record.epoch = UInt64(plain.epoch)
        if state == .done, work.kind != .vote { record.doneEpoch = record.epoch }
        if plain.machine > 0 { record.madeOn = machines[Int(plain.machine)] }
        record.isConfirmed = plain.isConfirmed
        return record
    }

    /// What is changed is kept whole from then on, until it is settled.
    package subscript(id: WorkID) -> WorkRecord? {
        get { touched[id] ?? plain(id) }
        _modify {
            if touched[id] == nil { touched[id] = plain(id) }
            yield &touched[id]
        }
    }

    /// Whether more is kept of it than state and epoch.
    func isTouched(_ id: WorkID) -> Bool { touched[id] != nil }

    func run(of id: WorkID) -> RunID? { find(id).map { blocks[$0.block].works.run } }

    /// Cheaper than the whole record.
    func state(of id: WorkID) -> WorkState? {
        if let record = touched[id] { return record.state }
        return find(id).map { Self.state(of: blocks[$0.block].plains[$0.offset].state) }
    }

    /// Keeps no more of it than its state and epoch.
    package mutating func settle(_ id: WorkID) {
        guard let record = touched[id], let code = Self.code(of: record.state),
            let epoch = UInt32(exactly: record.epoch),
            record.state != .done || record.doneEpoch ?? record.epoch == record.epoch, let (block, offset) = find(id)
        else { return }
        touched[id] = nil
        blocks[block].plains[offset] = Plain(
            state: code, isConfirmed: record.isConfirmed, machine: number(of: record.madeOn), epoch: epoch)
    }

    // MARK: - States as numbers

    private static let states: [WorkState] = [
        .waiting, .ready, .done, .cancelled, .refused(.input), .refused(.failed), .refused(.dependency),
    ]

    /// nil for what is under way.
    private static func code(of state: WorkState) -> UInt8? { states.firstIndex(of: state).map { UInt8($0) } }
    private static func state(of code: UInt8) -> WorkState { states[Int(code)] }
}

extension WorkRecord {
    /// Whether nothing is known of it but its state and epoch.
    var isPlain: Bool {
        guard state != .leased, state != .voting, lease == nil, failureCount == 0, lossCount == 0, keptFor == nil else {
            return false
        }
        return attempts.isEmpty && outputs.isEmpty && checkpoints.isEmpty && metric == nil && doneBy == nil
            && trusted == nil && makers.isEmpty
    }
}

extension RunRecord {
    /// Whether a work has ended and nothing looks back at it: those that read it, and those that are offered first to
    /// whoever did it, are done. A session stays, for people who look at its figures.
    /// - Parameter isDone: whether the work of another step for the same item is.
    func isSettled(_ work: WorkRecord, isDone: (Int) -> Bool) -> Bool {
        guard work.state.isFinal, plan.steps[work.step].fan == .item, work.kind != .session else { return false }
        guard work.state == .done else { return true }
        return lookers[work.step].allSatisfy { plan.steps[$0].fan == .item && isDone($0) }
    }
}

extension Scheduler {
    /// Of a work that has ended, and of those that it has looked back at.
    mutating func settle(after id: WorkID) {
        let work = works[id]!, run = runs[work.run]!
        guard run.plan.steps[work.step].fan == .item else { return }
        settleIfPossible(id)
        for earlier in run.plan.steps.indices where run.lookers[earlier].contains(work.step) {
            if run.plan.steps[earlier].fan == .item { settleIfPossible(run.work(earlier, work.index)) }
        }
    }

    private mutating func settleIfPossible(_ id: WorkID) {
        let work = works[id]!, run = runs[work.run]!
        let isSettled = run.isSettled(work) { step in
            let looker = run.work(step, work.index)
            return works.state(of: looker) == .done && checks.count(of: looker) == 0
        }
        if isSettled { works.settle(id) }
    }
}
