import Protocol

/// What a client asks for: a submission with its list of items read from the manifest.
package struct RunRequest: Hashable, Sendable {
    package var plan: Plan
    package var recipe: String
    package var parameters: String
    package var seed: UInt64
    /// How often steps are done that are done for each replica, and how many ballots a vote counts.
    package var replicaCount: Int
    package var checkpointSeconds: UInt32
    package var inputs: [BlobReference]
    package var items: [ItemSubmission]
    package var idempotencyKey: String
    /// What people call it, and who submitted it.
    package var label: String
    package var submitter: String
    /// What a step needs; 0: not known.
    package var memoryByteCount: UInt64
    /// More items will come.
    package var isOpen: Bool
    /// The share of the work that is done once more on another machine and compared, 0 to 1.
    package var verifyShare: Double
    /// Where answers may be put on a shared file system, below its root; empty for nowhere.
    package var answerFolder: String

    package init(
        plan: Plan, recipe: String, parameters: String, seed: UInt64, replicaCount: Int, checkpointSeconds: UInt32,
        inputs: [BlobReference], items: [ItemSubmission], idempotencyKey: String, label: String = "",
        submitter: String = "", memoryByteCount: UInt64 = 0, isOpen: Bool = false, verifyShare: Double = 0,
        answerFolder: String = ""
    ) {
        self.plan = plan
        self.recipe = recipe
        self.parameters = parameters
        self.seed = seed
        self.replicaCount = replicaCount
        self.checkpointSeconds = checkpointSeconds
        self.inputs = inputs
        self.items = items
        self.idempotencyKey = idempotencyKey
        self.label = label
        self.submitter = submitter
        self.memoryByteCount = memoryByteCount
        self.isOpen = isOpen
        self.verifyShare = verifyShare
        self.answerFolder = answerFolder
    }

    /// Whether another one asks for the same result again. What changes no byte of it is left out; items that have
    /// come since the first submission belong to it.
    package func asksForTheSame(as other: RunRequest) -> Bool {
        var copy = other
        copy.isOpen = isOpen
        if other.isOpen, items.starts(with: other.items) { copy.items = items }
        copy.checkpointSeconds = checkpointSeconds
        copy.verifyShare = verifyShare
        copy.answerFolder = answerFolder
        copy.label = label
        copy.submitter = submitter
        copy.memoryByteCount = memoryByteCount
        return self == copy
    }

    /// Which work is which.
    package var layout: WorkLayout { WorkLayout(plan, replicaCount: replicaCount, itemCount: items.count) }

    /// What it begins with.
    package func newWorks(of run: RunID, firstWork: WorkID) -> [NewWorks] {
        let single = NewWorks(single: plan, replicaCount: replicaCount, run: run, firstWork: firstWork)
        let firstOfItems = WorkID(firstWork.value + UInt64(single.count))
        return [single, NewWorks(of: plan, items: 0..<items.count, run: run, firstWork: firstOfItems)]
    }

    /// What is wrong with it, for its sender.
    var problem: String? {
        let keyByteCount = idempotencyKey.utf8.count
        if keyByteCount == 0 || keyByteCount > Limits.idempotencyKeyBytesMax {
            return "the idempotency key has \(keyByteCount) bytes; it needs 1 to \(Limits.idempotencyKeyBytesMax)"
        }
        if let problem = plan.problem { return problem }
        if !(0...1).contains(verifyShare) { return "a share of \(verifyShare) to verify; 0 to 1 are possible" }
        if replicaCount < 1 || replicaCount > Limits.replicasMax {
            return "a run of \(replicaCount) replicas; 1 to \(Limits.replicasMax) are possible"
        }
        let ownInputsMax = max(replicaCount, Limits.itemInputsMax)
        if inputs.count + ownInputsMax > Limits.inputsMax {
            return "\(inputs.count) inputs; at most \(Limits.inputsMax - ownInputsMax) fit into one run"
        }
        guard plan.hasItems else {
            if isOpen { return "a run of plan '\(plan.name)' has no items that could come" }
            return items.isEmpty ? nil : "a run of plan '\(plan.name)' has no items, and \(items.count) came with it"
        }
        if items.isEmpty && !isOpen { return "there is no item to \(plan.name)" }
        if layout.workCount > Limits.runWorksMax {
            return "\(items.count) items lead to \(layout.workCount) works; at most \(Limits.runWorksMax) fit into one "
                + "run: split them"
        }
        return nil
    }
}

/// Which number each piece of work of a run has, from the run's first one on: the works that are done once or for each
/// replica, step by step; then item by item its steps.
package struct WorkLayout: Sendable {
    /// By step: of the first work of it; for an item's step from the item's first work on.
    private let offsets: [Int]
    /// By step: how many works it has.
    package let counts: [Int]
    private let isOfItem: [Bool]
    private let singleCount: Int
    private let itemSteps: [Int]
    /// Of the single works: step and index.
    private let singles: [(step: Int, index: Int)]

    package init(_ plan: Plan, replicaCount: Int, itemCount: Int) {
        var (offsets, counts, itemSteps): ([Int], [Int], [Int]) = ([], [], [])
        var singles: [(step: Int, index: Int)] = []
        for (number, step) in plan.steps.enumerated() {
            let count = step.fan == .item ? itemCount : step.fan == .replica ? replicaCount : 1
            offsets.append(step.fan == .item ? itemSteps.count : singles.count)
            counts.append(count)
            if step.fan == .item { itemSteps.append(number) } else {
                singles += (0..<count).map { (number, $0) }
            }
        }
        (self.offsets, self.counts, self.itemSteps, self.singles) = (offsets, counts, itemSteps, singles)
        isOfItem = plan.steps.map { $0.fan == .item }
        singleCount = singles.count
        self.itemCount = itemCount
        workCount = singleCount + itemCount * itemSteps.count
    }

    package let workCount: Int
    package let itemCount: Int
    /// Works that are no item's.
    package var singleWorkCount: Int { singleCount }
    /// Works of one item.
    package var itemWorkCount: Int { itemSteps.count }

    /// From the run's first work on.
    package func offset(ofStep step: Int, index: Int) -> Int {
        isOfItem[step] ? singleCount + index * itemSteps.count + offsets[step] : offsets[step] + index
    }

    /// The other way round.
    package func piece(atOffset offset: Int) -> (step: Int, index: Int) {
        guard offset >= singleCount else { return singles[offset] }
        let (item, place) = (offset - singleCount).quotientAndRemainder(dividingBy: itemSteps.count)
        return (itemSteps[place], item)
    }
}
