import Protocol

/// Where a run stands.
package enum RunState: String, Hashable, Sendable {
    /// Some of its work is neither done nor refused.
    case running
    /// Everything is done or refused; `RunRecord.refusedCount` says how much was refused.
    case ended
    /// Its owner cancelled it; what was done before stays.
    case cancelled
}

/// Items that came together: the position of the first one, and the number of its first work.
package struct ItemBlock: Hashable, Sendable {
    package var item: Int
    package var work: WorkID

    package init(item: Int, work: WorkID) {
        self.item = item
        self.work = work
    }
}

/// A run as the scheduler knows it. Its works have consecutive numbers from `firstWork` on (`WorkLayout`), but for
/// items that came later.
package struct RunRecord: Sendable {
    /// What stays, but for items that come later.
    private struct Facts {
        var request: RunRequest
        var layout: WorkLayout
        /// Items that came together have works with consecutive numbers: the first item and its first work, in order.
        var itemBlocks: [ItemBlock]
        /// A bit for each item: its answer is safe with the client.
        var collected = BitRow()
        let readers: [[Int]]
        let lookers: [[Int]]
    }

    package let id: RunID
    package let firstWork: WorkID
    private var facts: Shared<Facts>
    package var state: RunState = .running
    /// When it ended, or was cancelled; nil while it goes on.
    package var endedMilliseconds: Int64?
    /// It gets no new leases.
    package var isPaused = false
    /// Higher goes first.
    package var priority: Int32 = 0
    /// How the workers compute that do its sessions; nil before the first of them, or where nobody has said.
    package var arithmetic: ContentDigest?
    /// By step.
    package internal(set) var counts: [WorkCounts]
    /// By step: works that can be leased now, in order of their numbers.
    package var ready: [SortedList<WorkID>]
    /// When its first lease was granted, and how many works of last steps have ended since, for the rate.
    package var begunMilliseconds: Int64?
    package var concludedCount = 0
    /// By step: milliseconds that the latest works took; of a session each iteration.
    var paces: [PaceSamples]
    /// By step: milliseconds from the latest leases on sessions to their first iterations.
    var starts: [PaceSamples]

    /// - Parameters:
    ///   - itemBlocks: items that came together, where they did not all come with the submission.
    ///   - itemCount: of one that has ended, whose items are not in the request.
    package init(
        id: RunID, request: RunRequest, firstWork: WorkID, itemBlocks: [ItemBlock] = [], itemCount: Int? = nil
    ) {
        self.id = id
        self.firstWork = firstWork
        let layout = WorkLayout(
            request.plan, replicaCount: request.replicaCount, itemCount: itemCount ?? request.items.count)
        let first = ItemBlock(item: 0, work: WorkID(firstWork.value + UInt64(layout.singleWorkCount)))
        let steps = request.plan.steps
        let readers = steps.indices.map(request.plan.readers)
        let lookers = steps.indices.map { step in
            readers[step] + steps.indices.filter { steps[$0].affinity == step && !readers[step].contains($0) }
        }
        facts = Shared(Facts(
            request: request, layout: layout, itemBlocks: itemBlocks.isEmpty ? [first] : itemBlocks, readers: readers,
            lookers: lookers))
        counts = steps.map { _ in WorkCounts() }
        ready = steps.map { _ in SortedList() }
        paces = steps.map { _ in PaceSamples() }
        starts = steps.map { _ in PaceSamples() }
    }

    package var request: RunRequest { _read { yield facts.value.request } }
    package var plan: Plan { _read { yield facts.value.request.plan } }
    package var layout: WorkLayout { _read { yield facts.value.layout } }
    /// By step: the steps that read what it makes.
    var readers: [[Int]] { _read { yield facts.value.readers } }
    /// By step: those, and the steps whose works are offered first to whoever did its.
    var lookers: [[Int]] { _read { yield facts.value.lookers } }
    private var itemBlocks: [ItemBlock] { _read { yield facts.value.itemBlocks } }

    /// Works that are neither done, refused nor cancelled.
    package var remainingCount: Int { counts.reduce(0) { $0 + $1.unfinished } }

    /// Works that were refused for a reason of their own, not with something else.
    package var refusedCount: Int { counts.reduce(0) { $0 + $1.refused } }

    package var works: [WorkID] { (0..<layout.workCount).map(work(atOffset:)) }

    package func work(_ step: Int, _ index: Int) -> WorkID {
        work(atOffset: layout.offset(ofStep: step, index: index))
    }

    private func work(atOffset offset: Int) -> WorkID {
        guard offset >= layout.singleWorkCount else { return WorkID(firstWork.value + UInt64(offset)) }
        let (item, place) = (offset - layout.singleWorkCount).quotientAndRemainder(dividingBy: layout.itemWorkCount)
        let block = itemBlocks[blockPlace(of: item)]
        return WorkID(block.work.value + UInt64((item - block.item) * layout.itemWorkCount + place))
    }

    /// The last block that does not begin behind an item.
    private func blockPlace(of item: Int) -> Int {
        var low = 0, high = itemBlocks.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if itemBlocks[middle].item <= item { low = middle } else { high = middle }
        }
        return low
    }

    /// More items have come.
    /// - Parameter firstWork: of the first of them.
    mutating func append(_ items: [ItemSubmission], firstWork: WorkID) {
        let block = ItemBlock(item: request.items.count, work: firstWork), last = itemBlocks.last!
        if block.item == 0 { facts.value.itemBlocks = [block] }
        // Right behind the others: one block with them.
        else if last.work.value + UInt64((block.item - last.item) * layout.itemWorkCount) != firstWork.value {
            facts.value.itemBlocks.append(block)
        }
        facts.value.request.items += items
        facts.value.layout = request.layout
    }

    /// Whether an item's answer is safe with the client, so that nothing of it is kept but its name.
    package func isCollected(_ item: Int) -> Bool { facts.value.collected[item] }

    mutating func collect(_ item: Int) {
        facts.value.collected[item] = true
        facts.value.request.items[item].inputs = []
        facts.value.request.items[item].paths = []
    }

    /// As the request says; of what has been collected only the names are left to compare.
    func asksForTheSame(as other: RunRequest) -> Bool {
        var other = other
        for item in other.items.indices where isCollected(item) && item < request.items.count {
            if other.items[item].name == request.items[item].name { other.items[item] = request.items[item] }
        }
        return request.asksForTheSame(as: other)
    }

    /// Whether more items may come.
    package var isOpen: Bool { request.isOpen }

    mutating func setOpen(_ isOpen: Bool) { facts.value.request.isOpen = isOpen }

    /// Whether nothing reads what a step makes for an item: with it the item has its answer.
    package func isLastOfItem(_ step: Int) -> Bool { plan.steps[step].fan == .item && readers[step].isEmpty }

    /// What people call a piece of it: "replica-3", an item's name, or the step's label where it is done once.
    package func name(ofStep step: Int, index: Int) -> String {
        switch plan.steps[step].fan {
        case .once: return plan.steps[step].label
        case .replica: return "replica-\(index)"
        case .item: return request.items[index].name
        }
    }
}
