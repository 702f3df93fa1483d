import Protocol

/// The leases that run at each worker, in the order in which it was given them: that in which it computes.
package struct Holdings: Sendable {
    private var leases: [WorkerName: [Lease]] = [:]
    /// Workers that have got or lost one since `takeChanged`.
    private(set) var changed: Set<WorkerName> = []

    package init() {}

    package subscript(name: WorkerName) -> [Lease] { leases[name] ?? [] }

    /// Of all workers together.
    package var count: Int { leases.values.reduce(0) { $0 + $1.count } }

    package func isBusy(_ name: WorkerName) -> Bool { leases[name] != nil }

    mutating func add(_ lease: Lease, of name: WorkerName) {
        leases[name, default: []].append(lease)
        changed.insert(name)
    }

    mutating func remove(_ lease: Lease, of name: WorkerName) {
        guard var left = leases[name] else { return }
        left.removeAll { $0 == lease }
        leases[name] = left.isEmpty ? nil : left
        changed.insert(name)
    }

    mutating func takeChanged() -> Set<WorkerName> {
        defer { changed = [] }
        return changed
    }
}
