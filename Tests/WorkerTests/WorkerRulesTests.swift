import Testing
import Worker

/// When the people whose machine it is let a worker compute.
@Suite struct WorkerRulesTests {
    /// By hand: minutes since midnight at which each text does and does not allow it. Notices an end that counts, a
    /// span over midnight that allows nothing, and minutes that are dropped.
    @Test(arguments: [
        ("20-7", [1200, 1439, 0, 419], [420, 1199, 720]),
        ("22:30-6:15", [1350, 0, 374], [375, 1349]),
        ("12-13,20-7", [720, 779, 1200, 100], [780, 1199, 600]),
        ("0-24", [0, 720, 1439], []),
        ("20-24", [1200, 1439], [0, 1199]),
        ("9-17", [540, 1019], [539, 1020]),
    ])
    func hoursAllowWhatTheySay(text: String, inside: [Int], outside: [Int]) throws {
        let hours = try #require(WorkingHours(text))
        for minute in inside { #expect(hours.contain(minute: minute), "\(text) at \(minute)") }
        for minute in outside { #expect(!hours.contain(minute: minute), "\(text) at \(minute)") }
        #expect(hours.description == text)
    }

    /// Notices a text that is half understood: a worker that computes by day would be worse than one that says no.
    @Test(arguments: [
        "", "20", "20-", "-7", "20-25", "7-7", "20-7-9", "20-7,", "a-b", "20:60-7", "٢٠-7", "20 - 7", "24-7",
    ])
    func whatIsNoHoursIsRefused(text: String) { #expect(WorkingHours(text) == nil) }

    /// Notices a rule that is not looked at, and one that keeps a worker from work that it may do.
    @Test func aWorkerComputesWhenBothRulesAllowIt() {
        let night = WorkerRules(hours: WorkingHours("20-7"), isIdleOnly: true)
        #expect(night.obstacle(minute: 1300, users: []) == nil)
        #expect(night.obstacle(minute: 600, users: []) == "it computes from 20-7 only")
        #expect(night.obstacle(minute: 1300, users: ["ada"]) == "ada is logged in")
        #expect(night.obstacle(minute: 1300, users: ["ada", "bob", "eve"]) == "ada and 2 more are logged in")
        #expect(WorkerRules().obstacle(minute: 600, users: ["ada"]) == nil)
        #expect(WorkerRules().areNone && !night.areNone)
    }
}
