import Foundation

/// How everything stands, flat: "runs.3.fraction" is 0.25. So two of them are compared and merged in a few lines on
/// either side. Keys are our own words and numbers; whatever others have said is a value.
struct LiveSummary: Equatable, Sendable {
    enum Value: Equatable, Sendable, Encodable {
        case text(String)
        case number(Double)
        case flag(Bool)

        func encode(to encoder: any Encoder) throws {
            var container = encoder.singleValueContainer()
            switch self {
            case .text(let text): try container.encode(text)
            case .number(let number): try container.encode(number)
            case .flag(let flag): try container.encode(flag)
            }
        }
    }

    /// Of those that go on, and of those that have ended: the page has no room for more.
    static let runningMax = 100, endedMax = 20

    private(set) var values: [String: Value] = [:]

    init() {}

    /// - Parameters:
    ///   - status: runs that go on, from memory.
    ///   - ended: the latest that have ended, newest first.
    ///   - hasLogin: one can log out, too.
    ///   - submittedAt: of a run that goes on.
    init(_ status: StatusReport, ended: [StatusReport.Run], hasLogin: Bool, submittedAt: (UInt64) -> String?) {
        set("build", status.build)
        set("hasLogin", hasLogin)
        set("problem", status.problem)
        for (number, aside) in (status.setAside ?? [:]).sorted(by: { $0.key < $1.key }).prefix(20).enumerated() {
            set("setAside.\(number).machine", aside.key)
            set("setAside.\(number).why", aside.value)
        }
        addWorkers(status)
        let running = status.runs.suffix(Self.runningMax)
        set("runsLeftOut", status.runs.count - running.count)
        for run in running { add(run, submittedAt: submittedAt(run.id)) }
        let isRunning = Set(status.runs.map(\.id))
        for run in ended.prefix(Self.endedMax) where !isRunning.contains(run.id) {
            add(run, submittedAt: run.submittedAt)
        }
    }

    private mutating func addWorkers(_ status: StatusReport) {
        let connected = status.workers.filter(\.isConnected)
        set("workers.connected", connected.count)
        set("workers.computing", connected.count { !$0.isLeaving && $0.work != nil })
        set("workers.leaving", connected.count { $0.isLeaving })
        set("workers.gone", status.workers.count - connected.count)
        set("workers.ofUse", status.workersOfUse)
    }

    private mutating func add(_ run: StatusReport.Run, submittedAt: String?) {
        let key = "runs.\(run.id)."
        for (name, text) in [
            ("kind", run.kind), ("recipe", run.recipe), ("state", run.state), ("label", run.label),
            ("submitter", run.submitter), ("submittedAt", submittedAt), ("endedAt", run.endedAt),
            ("problem", run.problem),
        ] { set(key + name, text) }
        set(key + "isPaused", run.isPaused)
        set(key + "priority", Int(run.priority))
        set(key + "fraction", (run.fraction * 1e4).rounded() / 1e4)
        set(key + "iterationsPerSecond", run.iterationsPerSecond.map { Self.rounded($0, digits: 3) })
        set(key + "volumesPerHour", run.volumesPerSecond.map { Self.rounded($0 * 3600, digits: 3) })
        set(key + "secondsLeft", run.secondsLeft.map { Self.rounded($0, digits: 2) })
        set(key + "replicaCount", run.replicaCount)
        set(key + "iterationCount", Int(run.iterationCount))
        set(key + "volumeCount", run.volumeCount)
        set(key + "volumesDone", run.volumes?.done)
        set(key + "volumesRefused", run.volumes?.refused)
        set(key + "volumesWaiting", run.volumes?.waiting)
        set(key + "refusedCount", run.refusedCount)
        let works = [
            ("ready", run.works.ready), ("leased", run.works.leased), ("waiting", run.works.waiting),
            ("done", run.works.done), ("refused", run.works.refused), ("total", run.works.total),
        ]
        for (name, count) in works { set(key + "works.\(name)", count) }
        if let checks = run.checks {
            set(key + "checks.open", checks.open)
            set(key + "checks.done", checks.done)
            set(key + "checks.disputed", checks.disputed)
        }
    }

    private mutating func set(_ key: String, _ text: String?) { if let text { values[key] = .text(text) } }
    private mutating func set(_ key: String, _ flag: Bool) { values[key] = .flag(flag) }
    private mutating func set(_ key: String, _ number: Int?) { if let number { values[key] = .number(Double(number)) } }
    private mutating func set(_ key: String, _ number: Double?) {
        if let number, number.isFinite { values[key] = .number(number) }
    }

    /// What changes all the time and matters to so many digits only.
    static func rounded(_ value: Double, digits: Int) -> Double {
        guard value != 0, value.isFinite else { return value }
        let scale = pow(10, Double(digits) - 1 - floor(log10(abs(value))))
        return (value * scale).rounded() / scale
    }

    struct Change: Encodable {
        var set: [String: Value]
        var gone: [String]
        var isEmpty: Bool { self.set.isEmpty && gone.isEmpty }
    }

    /// What makes this out of an earlier one.
    func change(since earlier: LiveSummary) -> Change {
        Change(
            set: values.filter { earlier.values[$0.key] != $0.value },
            gone: earlier.values.keys.filter { values[$0] == nil }.sorted())
    }
}
