import Foundation

/// Many stories, and what they show together.
struct Campaign {
    private(set) var seedCount = 0
    private(set) var eventCount = 0
    private(set) var faultCount = 0
    /// Seeds in which each kind of fault struck.
    private(set) var seedsWithFault = [Int](repeating: 0, count: FaultKind.allCases.count)
    /// Seeds in which the standby had to take over.
    private(set) var promotionCount = 0
    /// "seed 7: what was broken".
    private(set) var violations: [String] = []
    private(set) var coverage = Coverage()
    /// How much of the time that liveness allows was needed, at most.
    private(set) var slowestShare = 0.0
    /// Of all stories, in order.
    private(set) var fingerprint: UInt64 = 0

    init(seeds: Range<UInt64>) throws {
        for seed in seeds {
            let simulation = try Simulation(seed: seed)
            simulation.tell()
            add(simulation, seed: seed)
        }
    }

    private mutating func add(_ simulation: Simulation, seed: UInt64) {
        seedCount += 1
        eventCount += simulation.eventCount
        faultCount += simulation.faultCounts.reduce(0, +)
        promotionCount += simulation.promotionCount
        for index in seedsWithFault.indices where simulation.faultCounts[index] > 0 { seedsWithFault[index] += 1 }
        violations += simulation.promises.violations.prefix(3).map { "seed \(seed): \($0)" }
        coverage.merge(simulation.coverage)
        if let ended = simulation.endedAt {
            let share = Double(ended - simulation.story.faultsEnd) / Double(simulation.livenessMilliseconds)
            slowestShare = max(slowestShare, share)
        }
        fingerprint = mixed(fingerprint ^ simulation.fingerprint)
    }

    /// Percent of the seeds, by kind of fault.
    var faultShares: [(kind: FaultKind, percent: Double)] {
        zip(FaultKind.allCases, seedsWithFault).map { ($0, 100 * Double($1) / Double(seedCount)) }
    }

    /// As one JSON object, keys in order.
    func json(seconds: Double) -> String {
        let report = Report(
            seeds: seedCount, events: eventCount, faults: faultCount, promotions: promotionCount,
            violations: violations, seconds: seconds, slowestShareOfLivenessBound: slowestShare,
            fingerprint: String(fingerprint, radix: 16),
            percentOfSeedsWithFault: Dictionary(
                uniqueKeysWithValues: faultShares.map { ($0.kind.rawValue, ($0.percent * 10).rounded() / 10) }),
            workTransitions: coverage.workSteps, workEvents: coverage.workEvents,
            workerTransitions: coverage.workerSteps, workerEvents: coverage.workerEvents)
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
        guard let data = try? encoder.encode(report) else { preconditionFailure("a report is always encodable") }
        return String(decoding: data, as: UTF8.self)
    }

    private struct Report: Encodable {
        var seeds: Int
        var events: Int
        var faults: Int
        var promotions: Int
        var violations: [String]
        var seconds: Double
        var slowestShareOfLivenessBound: Double
        var fingerprint: String
        var percentOfSeedsWithFault: [String: Double]
        var workTransitions: [String: Int]
        var workEvents: [String: Int]
        var workerTransitions: [String: Int]
        var workerEvents: [String: Int]
    }
}
