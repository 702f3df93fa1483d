import Foundation
import Testing

/// `cluster/simulate.sh` runs the long versions: it sets how many seeds, from which on, and where to put the figures.
@Suite struct SimulationTests {
    private static func number(_ name: String, otherwise: UInt64) -> UInt64 {
        ProcessInfo.processInfo.environment["QUINTET_SIMULATION_" + name].flatMap { UInt64($0) } ?? otherwise
    }

    /// Told once, looked at by several tests.
    private static let campaign = Result {
        let first = number("FIRST", otherwise: 0)
        let begin = ProcessInfo.processInfo.systemUptime
        let campaign = try Campaign(seeds: first..<first + number("SEEDS", otherwise: 120))
        if let path = ProcessInfo.processInfo.environment["QUINTET_SIMULATION_REPORT"] {
            let seconds = ProcessInfo.processInfo.systemUptime - begin
            try (campaign.json(seconds: seconds) + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        }
        return campaign
    }

    /// Safety after every event, and an end of everything within three leases and the work after the last fault.
    @Test func nothingIsLostNothingCountsTwiceAndEverythingEnds() throws {
        let campaign = try Self.campaign.get()
        #expect(campaign.violations == [])
        #expect(campaign.slowestShare < 1)
        // In two of five stories there is a standby, and in some of those it has to take over.
        #expect(campaign.promotionCount * 20 > campaign.seedCount)
    }

    /// A simulation in which little goes wrong proves little.
    @Test func everyFaultStrikesOften() throws {
        let campaign = try Self.campaign.get()
        for (kind, percent) in campaign.faultShares { #expect(percent >= 5, "\(kind) in \(percent) % of the seeds") }
        #expect(campaign.faultCount >= 90 * campaign.seedCount)
    }

    @Test func everyLegalTransitionIsMadeAndNoOther() throws {
        let coverage = try Self.campaign.get().coverage
        for step in LegalSteps.ofWorks { #expect(coverage.workSteps[step] != nil, "never: \(step)") }
        for step in LegalSteps.ofWorkers { #expect(coverage.workerSteps[step] != nil, "never: \(step)") }
        for event in LegalSteps.eventsOfWorkers { #expect(coverage.workerEvents[event] != nil, "never: \(event)") }
        for event in LegalSteps.eventsOfWorks { #expect(coverage.workEvents[event] != nil, "never: \(event)") }
        let strangeOfWorks = Set(coverage.workSteps.keys).subtracting(LegalSteps.ofWorks + LegalSteps.rareOfWorks)
        #expect(strangeOfWorks.isEmpty)
        let strangeOfWorkers = Set(coverage.workerSteps.keys)
            .subtracting(LegalSteps.ofWorkers + LegalSteps.rareOfWorkers)
        #expect(strangeOfWorkers.isEmpty)
    }

    @Test func theSameSeedTellsTheSameStory() throws {
        for seed in 0..<Self.number("REPEATED", otherwise: 10) {
            let stories = try (0..<2).map { _ in
                let simulation = try Simulation(seed: seed)
                simulation.tell()
                return simulation.fingerprint
            }
            #expect(stories[0] == stories[1], "seed \(seed)")
        }
        let (one, other) = (try Simulation(seed: 1), try Simulation(seed: 2))
        one.tell()
        other.tell()
        #expect(one.fingerprint != other.fingerprint)
    }

    private static let knownSeeds: [PlantedBug: UInt64] = [
        .forgetsSharedBlobs: 16, .blamesAllMachines: 103, .forgetsVotesOnRestart: 97, .removesAtOnce: 374,
        .givesNumbersAgain: 234, .checksNoEpochs: 596, .countsDuplicatesTwice: 622, .forgetsWhatIsLeaving: 622,
        .countsBothOfTwo: 731, .acknowledgesBeforeStandby: 111, .standbySaysTooMuch: 173,
    ]

    /// The promises see what they are there to see.
    @Test(arguments: PlantedBug.allCases) func everyPlantedBugIsNoticed(_ bug: PlantedBug) throws {
        // Begins a little before the seed that is known to show it; where another one does by now, the search for it
        // may take minutes: the line that is printed says which.
        let first = Self.knownSeeds[bug].map { max($0, 3) - 3 } ?? 0
        for seed in (first..<first + 1_000).map({ $0 % 1_000 }) {
            let simulation = try Simulation(seed: seed, bug: bug)
            simulation.tell()
            if let violation = simulation.promises.violations.first {
                return print("\(bug), seed \(seed): \(violation)")
            }
        }
        Issue.record("nobody noticed \(bug) in 1000 seeds")
    }

    /// Nothing else goes wrong, and whoever is idle gets a backup on what takes so long: none of them may keep a volume
    /// alive that always fails or kills its workers.
    @Test(arguments: [Story.failingName, Story.deadlyName], [nil, 0])
    func hopelessWorkEndsBesideItsBackups(_ name: String, _ slowBox: Int?) throws {
        let names = (0..<6).map { "volume-\($0)" } + [name]
        for seed in UInt64(0)..<10 {
            let story = Story(request: Story.segment(voters: 1, names: names), workerCount: 4, slowBox: slowBox)
            let simulation = try Simulation(story, seed: seed)
            simulation.tell()
            #expect(simulation.promises.violations == [], "seed \(seed)")
            #expect(simulation.coverage.workEvents["backup: granted"] ?? 0 > 0, "seed \(seed)")
            #expect(simulation.coverage.workSteps["leased -> refused"] == 1, "seed \(seed)")
        }
    }

    /// For looking into one seed: every fault, commit and message of it.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["QUINTET_SIMULATION_TRACE"] != nil))
    func oneStoryIsToldInFull() throws {
        let simulation = try Simulation(seed: Self.number("TRACE", otherwise: 0), isTraced: true)
        simulation.tell()
        print((simulation.trace ?? []).joined(separator: "\n"))
        #expect(simulation.promises.violations == [])
    }
}

/// What a work may go through between two events (WorkRecord.swift), and a worker (Work.swift, Connection.swift). One
/// event may make two steps.
enum LegalSteps {
    static let ofWorks = [
        "waiting -> ready", "waiting -> voting", "waiting -> leased", "voting -> done", "voting -> waiting",
        "ready -> leased", "ready -> waiting", "leased -> ready", "leased -> done",
        "done -> voting",
        "leased -> refused", "waiting -> refused", "waiting -> cancelled", "ready -> cancelled",
        "leased -> cancelled", "cancelled -> ready", "cancelled -> leased", "cancelled -> waiting",
        "refused -> leased", "refused -> waiting", "done -> leased",
    ]

    /// Legal, too, and not in every few hundred stories. From a result there is a way back only for votes that are made
    /// again, or cannot be; a lapsed lease's result may find nobody else at it; what failed too often is refused once
    /// its inputs have been looked at.
    static let rareOfWorks = [
        "done -> ready", "done -> refused", "ready -> done", "ready -> refused", "voting -> cancelled",
        "voting -> refused", "cancelled -> voting", "refused -> ready", "refused -> voting", "done -> waiting",
        "leased -> waiting",
    ]

    static let eventsOfWorks = [
        "running: heartbeat", "running: checkpoint", "running: finished", "running: held",
        "running: surrendered drained", "running: surrendered failed", "running: surrendered inputRefused",
        "lapsed: held", "accepted: finished", "accepted: heartbeat", "accepted: held", "stale: heartbeat",
        "stale: held", "stale: finished", "stale: checkpoint", "stale: surrendered failed",
        "stale: surrendered drained", "backup: granted", "one of two: overtaken", "one of two: beaten",
        "one of two: revoked",
    ]

    static let ofWorkers = [
        "away -> dialling", "dialling -> greeting", "dialling -> away", "greeting -> serving", "greeting -> away",
        "serving -> away", "serving -> closed", "none -> fetching", "fetching -> computing",
        "fetching -> givingBack", "fetching -> none", "computing -> fetching", "computing -> uploading",
        "computing -> stopping", "computing -> givingBack", "computing -> none", "stopping -> handingOver",
        "stopping -> givingBack", "stopping -> none", "handingOver -> givingBack", "handingOver -> none",
        "uploading -> none", "givingBack -> none", "away -> closed", "closed -> dialling",
    ]

    /// What befalls a worker with two pieces of work.
    static let eventsOfWorkers = [
        "computing + fetching: blobHeld", "computing + fetching: done", "computing + fetching: failed",
        "computing + fetching: disconnected", "computing + fetching: revoke", "computing + fetching: drainRequested",
        "computing + uploading: accepted", "computing + uploading: disconnected", "computing + uploading: revoke",
        "computing + uploading: done", "fetching + uploading: accepted",
    ]

    /// A coordinator may turn down the result, or a worker be told to leave, in a moment that is short.
    static let rareOfWorkers = [
        "dialling -> closed", "greeting -> closed", "uploading -> givingBack", "computing -> handingOver",
    ]
}
