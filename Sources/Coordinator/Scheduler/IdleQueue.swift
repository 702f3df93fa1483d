import Protocol

/// Workers that have asked for work and have not got it, the one that asked first at the front.
struct IdleQueue: Sendable {
    private var tickets = SortedList<UInt64>()
    private var names: [UInt64: WorkerName] = [:]
    private var numbers: [WorkerName: UInt64] = [:]
    private var lastTicket: UInt64 = 0

    var isEmpty: Bool { tickets.isEmpty }
    var all: [WorkerName] { tickets.map { names[$0]! } }

    func contains(_ name: WorkerName) -> Bool { numbers[name] != nil }

    /// Those of them that are in here, in the same order.
    func ordered(_ some: Set<WorkerName>) -> [WorkerName] {
        some.compactMap { numbers[$0] }.sorted().map { names[$0]! }
    }

    mutating func append(_ name: WorkerName) {
        guard numbers[name] == nil else { return }
        lastTicket += 1
        tickets.insert(lastTicket)
        (names[lastTicket], numbers[name]) = (name, lastTicket)
    }

    mutating func remove(_ name: WorkerName) {
        guard let ticket = numbers.removeValue(forKey: name) else { return }
        tickets.remove(ticket)
        names[ticket] = nil
    }
}
