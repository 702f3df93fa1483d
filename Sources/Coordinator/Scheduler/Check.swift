import Protocol

/// What came out of a piece of work on one machine: the digests of its outputs, in order.
package struct Opinion: Hashable, Sendable {
    package var worker: WorkerName
    package var digests: [ContentDigest]

    package init(worker: WorkerName, digests: [ContentDigest]) {
        self.worker = worker
        self.digests = digests
    }
}

/// A task, or a session from one checkpoint to the next, that is done once more on another machine, to see whether the
/// same bytes come out. It has a number of its own among the works, and leases of its own; what comes out is compared
/// and not kept.
package struct Check: Sendable {
    package let id: WorkID
    package let run: RunID
    package let work: WorkID
    /// Session: where it goes on from; nil: from its beginning.
    package let base: Checkpoint?
    /// Session: the checkpoint that is confirmed if the others agree; nil at its end.
    package let target: Checkpoint?
    /// Session: so many iterations; else 0.
    package let until: UInt32
    /// How they compute who may say something about it.
    package let arithmetic: ContentDigest?
    /// The first is of whoever made what counts so far.
    package var opinions: [Opinion]
    /// Of its latest lease.
    var epoch: UInt64 = 0
    package internal(set) var lease: LeaseRecord?
    /// A lease on the work itself that was beaten, and goes on to be compared.
    var beaten: Lease?
    var avoided: [WorkerName: Int64] = [:]
    var failureCount = 0
    var waitingSinceMilliseconds: Int64 = 0

    package init(
        id: WorkID, run: RunID, work: WorkID, base: Checkpoint?, target: Checkpoint?, until: UInt32,
        arithmetic: ContentDigest?, opinions: [Opinion]
    ) {
        (self.id, self.run, self.work, self.base, self.target) = (id, run, work, base, target)
        (self.until, self.arithmetic, self.opinions) = (until, arithmetic, opinions)
    }

    /// Under which its worker answers.
    var heldLease: Lease { beaten ?? Lease(work: id, epoch: epoch) }

    var machines: [MachineName] { opinions.map(\.worker.machine) }

    /// The bytes that two have got, and who got others; nil while no two agree.
    var verdict: (right: [ContentDigest], liars: [MachineName])? {
        let right = opinions.first { one in opinions.count { $0.digests == one.digests } > 1 }?.digests
        return right.map { right in (right, opinions.filter { $0.digests != right }.map(\.worker.machine)) }
    }
}

extension Check: Hashable {
    /// What the store has of it.
    package static func == (a: Check, b: Check) -> Bool { a.id == b.id && a.opinions == b.opinions }

    package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// The checks that are under way.
package struct CheckBook: Sendable {
    package private(set) var checks: [WorkID: Check] = [:]
    /// Those that nobody does at the moment, by the machine whose work they look at.
    private var waiting: [MachineName: SortedList<WorkID>] = [:]
    private var beaten: [Lease: WorkID] = [:]
    /// By the work that they look at.
    private var ofWork: [WorkID: SortedList<WorkID>] = [:]
    private var runCounts: [RunID: Int] = [:]

    package init() {}

    package var isEmpty: Bool { checks.isEmpty }
    package subscript(id: WorkID) -> Check? { checks[id] }

    /// Of a run.
    package func count(of run: RunID) -> Int { runCounts[run] ?? 0 }
    /// Of a piece of work.
    func count(of work: WorkID) -> Int { ofWork[work]?.count ?? 0 }
    /// Whether none looks at an earlier part of the same session.
    func isNext(_ check: Check) -> Bool { ofWork[check.work]?.first == check.id }
    package var leasedCount: Int { checks.values.count { $0.lease != nil } }
    var leased: [Check] { checks.values.filter { $0.lease != nil }.sorted { $0.id < $1.id } }
    func all(of run: RunID) -> [Check] { checks.values.filter { $0.run == run }.sorted { $0.id < $1.id } }
    func all(of work: WorkID) -> [Check] { (ofWork[work] ?? SortedList()).map { checks[$0]! } }

    /// The one that a lease is on; nil where it is on a work.
    package func check(under lease: Lease) -> Check? { checks[lease.work] ?? beaten[lease].flatMap { checks[$0] } }

    /// The oldest one that waits and that a worker may do.
    func first(for machine: MachineName, where isPossible: (Check) -> Bool) -> Check? {
        var best: WorkID?
        for (other, ids) in waiting where other != machine {
            guard let id = ids.first(where: { isPossible(checks[$0]!) }) else { continue }
            best = min(best ?? id, id)
        }
        return best.map { checks[$0]! }
    }

    mutating func insert(_ check: Check) {
        checks[check.id] = check
        ofWork[check.work, default: SortedList()].insert(check.id)
        runCounts[check.run, default: 0] += 1
        list(check)
    }

    private mutating func list(_ check: Check) {
        if let lease = check.beaten { beaten[lease] = check.id }
        if check.lease == nil { waiting[check.machines[0], default: SortedList()].insert(check.id) }
    }

    private mutating func unlist(_ check: Check) {
        if let lease = check.beaten { beaten[lease] = nil }
        waiting[check.machines[0]]?.remove(check.id)
        if waiting[check.machines[0]]?.isEmpty == true { waiting[check.machines[0]] = nil }
    }

    mutating func change(_ id: WorkID, _ body: (inout Check) -> Void) {
        guard var check = checks[id] else { return }
        unlist(check)
        body(&check)
        checks[id] = check
        list(check)
    }

    mutating func remove(_ id: WorkID) {
        guard let check = checks.removeValue(forKey: id) else { return }
        unlist(check)
        ofWork[check.work]?.remove(check.id)
        if ofWork[check.work]?.isEmpty == true { ofWork[check.work] = nil }
        runCounts[check.run] = count(of: check.run) > 1 ? count(of: check.run) - 1 : nil
    }
}
