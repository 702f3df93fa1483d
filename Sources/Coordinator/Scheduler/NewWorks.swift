import Protocol

/// Works as a run begins with them, in the order of their numbers: those of no item, or those of items that came
/// together, item by item. The store makes its rows from the same list. None of them is kept: a hundred thousand items
/// have three hundred thousand.
package struct NewWorks: RandomAccessCollection, Sendable {
    /// One of them.
    package struct Work: Hashable, Sendable {
        package let id: WorkID
        package let run: RunID
        package let step: Int
        package let kind: StepKind
        package let index: Int
        /// waiting or ready.
        package let state: WorkState
    }

    private struct Piece {
        var step: Int
        var kind: StepKind
        /// Without items: the replica.
        var index: Int
        var state: WorkState
    }

    let run: RunID
    let firstWork: WorkID
    /// All, or those of one item.
    private let pieces: [Piece]
    /// nil for works of no item.
    private let firstItem: Int?
    private(set) var itemCount: Int

    private init(
        run: RunID, firstWork: WorkID, plan: Plan, pieces: [(step: Int, index: Int)], firstItem: Int?, itemCount: Int
    ) {
        (self.run, self.firstWork, self.firstItem, self.itemCount) = (run, firstWork, firstItem, itemCount)
        self.pieces = pieces.map { step, index in
            let waits = plan.steps[step].inputs.contains { if case .step = $0.source { true } else { false } }
            return Piece(step: step, kind: plan.steps[step].kind, index: index, state: waits ? .waiting : .ready)
        }
    }

    /// Those that are done once or for each replica.
    package init(single plan: Plan, replicaCount: Int, run: RunID, firstWork: WorkID) {
        let layout = WorkLayout(plan, replicaCount: replicaCount, itemCount: 0)
        self.init(
            run: run, firstWork: firstWork, plan: plan, pieces: (0..<layout.singleWorkCount).map(layout.piece),
            firstItem: nil, itemCount: 0)
    }

    /// Those of items.
    package init(of plan: Plan, items: Range<Int>, run: RunID, firstWork: WorkID) {
        let steps = plan.steps.indices.filter { plan.steps[$0].fan == .item }
        self.init(
            run: run, firstWork: firstWork, plan: plan, pieces: steps.map { ($0, 0) }, firstItem: items.lowerBound,
            itemCount: items.count)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { firstItem == nil ? pieces.count : pieces.count * itemCount }

    package subscript(offset: Int) -> Work {
        let (round, place) = offset.quotientAndRemainder(dividingBy: pieces.count), piece = pieces[place]
        return Work(
            id: WorkID(firstWork.value + UInt64(offset)), run: run, step: piece.step, kind: piece.kind,
            index: firstItem.map { $0 + round } ?? piece.index, state: piece.state)
    }

    /// Whether the others come right behind these.
    func isContinued(by others: NewWorks) -> Bool {
        guard let firstItem, let next = others.firstItem, run == others.run else { return false }
        return firstItem + itemCount == next && firstWork.value + UInt64(count) == others.firstWork.value
    }

    mutating func append(_ others: NewWorks) { itemCount += others.itemCount }
}
