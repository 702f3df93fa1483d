/// When the people whose machine it is let a worker compute.
public struct WorkerRules: Hashable, Sendable {
    /// nil: at any hour.
    public var hours: WorkingHours?
    /// Only while nobody is logged in.
    public var isIdleOnly: Bool

    public init(hours: WorkingHours? = nil, isIdleOnly: Bool = false) {
        self.hours = hours
        self.isIdleOnly = isIdleOnly
    }

    /// Whether there is anything to be looked at.
    public var areNone: Bool { hours == nil && !isIdleOnly }

    /// Why the worker must not compute now; nil where it may.
    /// - Parameters:
    ///   - minute: since midnight, by the machine's clock.
    ///   - users: who is logged in.
    public func obstacle(minute: Int, users: [String]) -> String? {
        if let hours, !hours.contain(minute: minute) { return "it computes from \(hours) only" }
        if isIdleOnly, let first = users.first {
            return users.count > 1 ? "\(first) and \(users.count - 1) more are logged in" : "\(first) is logged in"
        }
        return nil
    }
}
