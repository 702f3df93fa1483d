import Protocol

/// How many works of a step of a run stand where.
package struct WorkCounts: Hashable, Sendable {
    package private(set) var waiting = 0
    package private(set) var voting = 0
    package private(set) var ready = 0
    package private(set) var leased = 0
    package private(set) var done = 0
    /// For a reason of their own.
    package private(set) var refused = 0
    /// With what they depend on.
    package private(set) var refusedWithOthers = 0
    package private(set) var cancelled = 0

    package init() {}

    package var unfinished: Int { waiting + voting + ready + leased }
    package var ended: Int { done + refused + refusedWithOthers + cancelled }

    package mutating func add(_ state: WorkState, count: Int = 1) { self[state] += count }
    package mutating func remove(_ state: WorkState) { self[state] -= 1 }

    private subscript(state: WorkState) -> Int {
        get { self[keyPath: Self.place(of: state)] }
        set { self[keyPath: Self.place(of: state)] = newValue }
    }

    private static func place(of state: WorkState) -> WritableKeyPath<WorkCounts, Int> {
        switch state {
        case .waiting: \.waiting
        case .voting: \.voting
        case .ready: \.ready
        case .leased: \.leased
        case .done: \.done
        case .refused(.dependency): \.refusedWithOthers
        case .refused: \.refused
        case .cancelled: \.cancelled
        }
    }
}

extension Scheduler {
    /// The one place where a piece of work changes its state.
    mutating func set(_ id: WorkID, _ state: WorkState) {
        let (run, step, before) = (works[id]!.run, works[id]!.step, works[id]!.state)
        works[id]!.state = state
        runs[run]!.counts[step].remove(before)
        runs[run]!.counts[step].add(state)
    }
}
