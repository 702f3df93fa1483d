/// What has been committed since this coordinator began, for whoever watches it from outside: numbers that only grow.
package struct CommittedCounts: Hashable, Sendable {
    package private(set) var leases = 0
    /// Second leases beside a first one.
    package private(set) var backups = 0
    /// By how they ended (`LeaseEnd.word`); those that ended with a result are in `results`.
    package private(set) var leaseEnds: [String: Int] = [:]
    package private(set) var results = 0
    package private(set) var checkpoints = 0
    package private(set) var refusedWorks = 0
    /// Messages under a lease that did not count any more.
    package private(set) var staleMessages = 0
    /// Results that another machine has made again and found different.
    package private(set) var differences = 0

    package mutating func note(_ change: StoreChange) {
        switch change {
        case .leaseGranted: leases += 1
        case .backupGranted: (leases, backups) = (leases + 1, backups + 1)
        case .leaseEnded(_, _, let end): leaseEnds[end.word, default: 0] += 1
        case .resultAccepted: results += 1
        case .checkpointAccepted: checkpoints += 1
        case .workRefused: refusedWorks += 1
        case .messageRefused: staleMessages += 1
        case .checkDiffers: differences += 1
        default: break
        }
    }
}
