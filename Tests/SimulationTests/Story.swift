import Coordinator
import Protocol
import TestSupport

/// Everything that can go wrong.
enum FaultKind: String, CaseIterable {
    // The network.
    case messageDropped, messageDuplicated, messageReordered, messageDelayed, connectionCut, partition
    case deafCoordinator, deafWorker, dialRefused
    // The coordinator.
    case coordinatorKilled, coordinatorKilledBeforeCommit, coordinatorKilledAfterCommit, coordinatorPowerCut
    case coordinatorSuspended, commitDiskFull, commitFails, blobDiskFull, blobFails, blobRots
    // Workers.
    case workerKilled, workerPowerCut, workerSuspended, workerSlow, workerLeaves, cacheFull, cacheFails, cacheRots
    case cacheEvicted, computingFails, machineBroken, clockSkew
    // People.
    case runCancelled, runSubmittedTwice, runForgotten, runPaused, runPrioritised, workerDrained

    /// Faults of single messages and operations; the others are episodes.
    var isMomentary: Bool {
        switch self {
        case .messageDropped, .messageDuplicated, .messageReordered, .messageDelayed, .dialRefused,
            .coordinatorKilledBeforeCommit, .coordinatorKilledAfterCommit, .commitDiskFull, .commitFails,
            .blobDiskFull, .blobFails, .cacheFull, .cacheFails, .computingFails, .clockSkew:
            return true
        default: return false
        }
    }

    var index: Int { Self.allCases.firstIndex(of: self)! }
}

/// What a seed is about: how large the cluster is, what it computes, and which faults strike how often. Each seed
/// leaves some kinds out, since a cluster that is always being restarted never gets deep into anything.
struct Story {
    let workerCount: Int
    let requests: [RunRequest]
    let faultsEnd: Int64
    /// Chance of a momentary fault, per mille of its occasions; 0: left out.
    let perMille: [Int64]
    let episodes: [FaultKind]
    let episodePauseMilliseconds: Int64
    /// Whether works are refused after a few failures, as in the product, or never.
    let hasProductLimits: Bool
    /// Volumes of an archive that no worker will ever end: one always fails, one kills its worker.
    private(set) var hopelessNames: Set<String> = []
    /// Works at it end differently in no way: their input is at fault.
    let refusedVolume: String?
    /// How many items of the archive come with the submission, where the others come later.
    let openItemCount: Int?
    /// A worker that is slower than the others, from the beginning to the end, and by how much.
    let slowBox: Int?
    let slowFactor: Int64
    var hasBackups = true
    /// A second coordinator has to have everything before it is acknowledged, and may have to take over.
    var hasStandby = false
    /// A worker that begins and makes no step for as long.
    var hangingBox: Int?
    /// A worker whose memory is broken: what it computes is wrong, every time in the same way.
    var lyingBox: Int?
    /// A worker whose cache has no room for the first `fullMilliseconds`.
    var fullBox: Int?
    static let fullMilliseconds: Int64 = 300_000

    static let leaseMilliseconds: Int64 = 30_000
    static let heartbeatMilliseconds: Int64 = 5_000
    /// How a volume is called whose input is at fault.
    static let brokenName = "broken"
    /// How volumes are called that always fail, or kill their workers.
    static let failingName = "failing"
    static let deadlyName = "deadly"

    var failuresMax: Int { hasProductLimits ? 3 : 1_000_000 }
    /// The product waits for 20: longer than a story.
    var lossesMax: Int { !hasProductLimits ? 1_000_000 : hopelessNames.isEmpty ? 20 : 3 }

    init(seed: UInt64) {
        var random = SimulationRandom(seed: seed &+ 0x51)
        workerCount = Int(random.between(2, 5))
        hasProductLimits = random.happens(perMille: 300)
        faultsEnd = random.between(150_000, 400_000)
        var perMille: [Int64] = []
        var episodes: [FaultKind] = []
        for kind in FaultKind.allCases {
            let isIn = random.happens(perMille: 450)
            let rate = Self.perMilleMax(kind)
            perMille.append(isIn ? random.between(max(1, rate / 4), rate) : 0)
            if isIn, !kind.isMomentary { episodes.append(kind) }
        }
        self.perMille = perMille
        self.episodes = episodes.isEmpty ? [.connectionCut] : episodes
        episodePauseMilliseconds = random.between(1_500, 7_000)
        let hasBroken = random.happens(perMille: 200)
        refusedVolume = hasBroken ? Self.brokenName : nil
        var requests = [Self.segment(&random, hasBroken: hasBroken), Self.train(seed: seed, &random)]
        if random.happens(perMille: 500) { requests.swapAt(0, 1) }
        slowBox = random.happens(perMille: 300) ? Int(random.below(Int64(workerCount))) : nil
        slowFactor = 4
        if hasProductLimits {
            for name in [Self.failingName, Self.deadlyName] where random.happens(perMille: 400) {
                hopelessNames.insert(name)
                let archive = requests.firstIndex { !$0.isTraining }!
                requests[archive].items.append(Self.volume(name))
            }
        }
        let isOpen = random.happens(perMille: 400), archive = requests.first { !$0.isTraining }!
        // Of a sequence of its own: the other stories stay what they are.
        var verifying = SimulationRandom(seed: seed &+ 0x7E57)
        if verifying.happens(perMille: 300) {
            let share = verifying.happens(perMille: 500) ? 1 : 0.3
            for index in requests.indices { requests[index].verifyShare = share }
        }
        var standing = SimulationRandom(seed: seed &+ 0x57A9)
        hasStandby = standing.happens(perMille: 400)
        openItemCount = isOpen ? Int(random.between(0, Int64(archive.items.count))) : nil
        self.requests = requests
    }

    /// All that a hopeless volume takes until it is refused, should it be tried once more at the end of the faults: its
    /// attempts, the rests between them, and leases that have to run out.
    var hopelessMilliseconds: Int64 {
        let step = SimulatedWork.stepMilliseconds * (slowBox == nil ? 1 : slowFactor)
        let attempt = Int64(SimulatedWork.hopelessStepCount) * step + Self.leaseMilliseconds + 20_000
        return Int64(hopelessNames.count) * 2 * Int64(lossesMax + 1 + attemptsBeyond) * attempt
    }

    /// After the last attempt that one machine is blamed for, every other one has its share, until two have had theirs.
    var attemptsBeyond: Int { 3 + 2 * workerCount }

    /// Nothing goes wrong; at most one worker is slow, at a tenth of the speed of the others.
    init(request: RunRequest, workerCount: Int, slowBox: Int?) {
        self.workerCount = workerCount
        self.slowBox = slowBox
        slowFactor = 10
        requests = [request]
        faultsEnd = 0
        perMille = FaultKind.allCases.map { _ in 0 }
        episodes = []
        episodePauseMilliseconds = 1
        hasProductLimits = true
        hopelessNames = Set(request.items.map(\.name)).intersection([Self.failingName, Self.deadlyName])
        refusedVolume = nil
        openItemCount = nil
    }

    func slowness(of box: Int) -> Int64 { box == slowBox ? slowFactor : 1 }

    /// Chosen so that a seed has many faults and still gets somewhere.
    private static func perMilleMax(_ kind: FaultKind) -> Int64 {
        switch kind {
        case .messageDropped, .messageDuplicated, .messageReordered: return 80
        case .messageDelayed: return 30
        case .dialRefused: return 400
        case .coordinatorKilledBeforeCommit, .coordinatorKilledAfterCommit: return 40
        case .commitDiskFull, .commitFails: return 50
        case .blobDiskFull, .blobFails, .cacheFull, .cacheFails: return 120
        case .computingFails: return 20
        case .clockSkew: return 400
        default: return 1
        }
    }

    private static func train(seed: UInt64, _ random: inout SimulationRandom) -> RunRequest {
        train(
            seed: seed, replicaCount: Int(random.between(1, 3)), iterationCount: UInt32(random.between(20, 60)),
            checkpointSeconds: UInt32(random.between(4, 12)))
    }

    static func train(
        seed: UInt64, replicaCount: Int, iterationCount: UInt32, checkpointSeconds: UInt32
    ) -> RunRequest {
        RunRequest(
            plan: .training(Int(iterationCount)), recipe: SimulatedWork.recipe, parameters: "{}", seed: seed,
            replicaCount: replicaCount, checkpointSeconds: checkpointSeconds,
            inputs: [BlobReference(role: "volume", name: "data", bytes: input("data"))], items: [],
            idempotencyKey: "train")
    }

    private static func segment(_ random: inout SimulationRandom, hasBroken: Bool) -> RunRequest {
        var names = (0..<random.between(1, 4)).map { "volume-\($0)" }
        if hasBroken { names.append(brokenName) }
        return segment(voters: random.happens(perMille: 500) ? 1 : 3, names: names)
    }

    static func segment(voters: Int, names: [String]) -> RunRequest {
        RunRequest(
            plan: .segmenting, recipe: SimulatedWork.recipe, parameters: "{}", seed: 1, replicaCount: voters,
            checkpointSeconds: 60,
            inputs: (0..<voters).map {
                BlobReference(role: "replica", name: "replica-\($0)", bytes: input("replica-\($0)"))
            } + [BlobReference(role: "volume", name: "data", bytes: input("data"))],  // the training reads it, too
            items: names.map(volume), idempotencyKey: "archive")
    }

    private static func volume(_ name: String) -> ItemSubmission {
        ItemSubmission(name: name, inputs: [BlobReference(role: "ct", name: name, bytes: input(name))])
    }

    /// The bytes of what people bring.
    static func input(_ name: String) -> [UInt8] {
        Array(name.utf8) + [UInt8](repeating: UInt8(name.utf8.count), count: name == "data" ? 3_000 : 600)
    }

    /// The longest that everything takes without a fault, were there one worker only, the slow one: all steps, and for
    /// each piece of work two seconds of fetching and uploading.
    var serialMilliseconds: Int64 {
        let step = SimulatedWork.stepMilliseconds * (slowBox == nil ? 1 : slowFactor)
        return requests.reduce(0) { sum, request in
            // What is checked is done twice, in pieces.
            let rounds: Int64 = request.verifyShare > 0 ? 3 : 1
            if request.isTraining {
                let steps = Int64(request.replicaCount) * Int64(request.iterationCount) + 6
                return sum + rounds * (steps * step + 2_000 * Int64(request.layout.workCount))
            }
            return sum + rounds * Int64(request.items.count) * (42 * step + 4_000)
        }
    }
}

/// Deliberate mistakes in the simulation's shells, to see that the promises notice. The product has none of these
/// switches.
enum PlantedBug: String, CaseIterable {
    // In the coordinator's shell.
    case acknowledgesBeforeCommit, checksNoEpochs, neverLetsLeasesExpire, countsDuplicatesTwice, assignsOldCheckpoint
    case forgetsVotesOnRestart, countsBothOfTwo, leavesTheBeatenLease, blamesAllMachines, givesNumbersAgain
    case forgetsPausesOnRestart, forgetsSharedBlobs, removesAtOnce, forgetsWhatIsLeaving
    case closesItemsOnRestart
    // In its disk.
    case forgetsToSync, forgetsToSyncBlobs, losesCheckpointsOnRestart, losesEpochsOnRestart
    // In the standby's shell, or beside it.
    case acknowledgesBeforeStandby, standbyLeavesBlobsOut, standbySaysTooMuch
    // In the workers' shells.
    case neverRenews, reportsOldResult, trustsItsCache

    var isOfStandby: Bool {
        [.acknowledgesBeforeStandby, .standbyLeavesBlobsOut, .standbySaysTooMuch].contains(self)
    }
}
