// Every message between coordinator, workers and clients. What each field means is said here; how it becomes bytes,
// in MessageCoding.swift; docs/PROTOCOL.md shows one golden example of each.

/// Who dials a coordinator: one that computes, or one that submits and asks.
public enum PeerRole: UInt8, Sendable { case worker = 1, client = 2 }

/// First message of a connection, from the peer that dialled.
public struct Hello: Hashable, Sendable {
    public var role: PeerRole
    /// Protocol versions it can speak, inclusive.
    public var versionMin: UInt16
    public var versionMax: UInt16
    /// Version and build of the program, for messages.
    public var build: String
    /// The worker's name for people: "host:pid-9f2c1b04". Unique per start of a process; a worker that reconnects says
    /// the same.
    public var name: String
    public var threadCount: UInt16
    /// "cpu" or "cuda:0".
    public var device: String
    /// Leases it still holds and computes on (after a lost connection); the coordinator revokes what has moved on.
    public var held: [Lease]
    /// What a worker's machine or container lets it have; 0: it does not know.
    public var memoryByteCount: UInt64
    /// What a small fixed computation gave on this worker: equal for workers that give the same bytes; nil: it has
    /// computed none.
    public var arithmetic: ContentDigest?

    public init(
        role: PeerRole, versionMin: UInt16, versionMax: UInt16, build: String, name: String, threadCount: UInt16,
        device: String, held: [Lease], memoryByteCount: UInt64 = 0, arithmetic: ContentDigest? = nil
    ) {
        self.role = role
        self.versionMin = versionMin
        self.versionMax = versionMax
        self.build = build
        self.name = name
        self.threadCount = threadCount
        self.device = device
        self.held = held
        self.memoryByteCount = memoryByteCount
        self.arithmetic = arithmetic
    }
}

/// The coordinator's answer to a hello that it takes: what both speak from now on.
public struct Welcome: Hashable, Sendable {
    /// Within the range that the hello offered.
    public var version: UInt16
    /// Version and build of the coordinator's program, for messages.
    public var build: String
    /// How often a worker sends `heartbeat`.
    public var heartbeatMilliseconds: UInt32
    /// How long a lease lives without a heartbeat.
    public var leaseMilliseconds: UInt32

    public init(version: UInt16, build: String, heartbeatMilliseconds: UInt32, leaseMilliseconds: UInt32) {
        self.version = version
        self.build = build
        self.heartbeatMilliseconds = heartbeatMilliseconds
        self.leaseMilliseconds = leaseMilliseconds
    }
}

/// Why a peer or a request was turned down.
public enum RefusalCode: UInt8, Sendable {
    case version = 1
    case malformed = 2
    case limit = 3
    case unknown = 4
    case staleLease = 5
    case diskFull = 6
    case damaged = 7
    case shuttingDown = 8
    case internalError = 9
    case notAllowed = 10
    /// It is not here yet; ask again in a while.
    case onItsWay = 11
}

/// The answer to a request that is turned down; under request id 0, the reason why the connection ends.
public struct Refusal: Hashable, Sendable {
    public var code: RefusalCode
    /// For people: what is wrong and what to do.
    public var message: String

    public init(code: RefusalCode, message: String) {
        self.code = code
        self.message = message
    }
}

/// A session at some iteration, as a blob that any worker can go on from.
public struct Checkpoint: Hashable, Sendable {
    /// Iterations completed.
    public var iteration: UInt32
    public var blob: BlobReference

    public init(iteration: UInt32, blob: BlobReference) {
        self.iteration = iteration
        self.blob = blob
    }
}

/// Everything that determines a piece of work's result: the same description gives the same weights, votes and voxels
/// anywhere.
public struct WorkDescription: Hashable, Sendable {
    public var run: RunID
    public var recipe: String
    /// The step's label, which the recipe knows.
    public var step: String
    public var kind: StepKind
    /// The replica's index; 0 for steps that are not done for each replica.
    public var replica: UInt16
    public var seed: UInt64
    /// The run's configuration, JSON; the recipe reads it, the coordinator does not.
    public var parameters: String
    public var inputs: [BlobReference]

    public init(
        run: RunID, recipe: String, step: String, kind: StepKind, replica: UInt16, seed: UInt64, parameters: String,
        inputs: [BlobReference]
    ) {
        self.run = run
        self.recipe = recipe
        self.step = step
        self.kind = kind
        self.replica = replica
        self.seed = seed
        self.parameters = parameters
        self.inputs = inputs
    }
}

/// Coordinator to worker: do this.
public struct Assignment: Hashable, Sendable {
    public var lease: Lease
    public var description: WorkDescription
    /// Where a session goes on from; nil from the beginning.
    public var resume: Checkpoint?
    public var checkpointSeconds: UInt32
    /// Not nil: somebody has done this already, and only the digests of what comes out are asked for. A session goes on
    /// to this iteration and tells of its checkpoint there, or of its result at its end; others have 0.
    public var checkedUntil: UInt32?
    /// Where the item's inputs lie on a shared file system, as far as they do.
    public var places: [SharedPlace]
    /// The folder of a shared file system, below its root, that what is made may be put into; empty for none.
    public var answerFolder: String

    public init(
        lease: Lease, description: WorkDescription, resume: Checkpoint?, checkpointSeconds: UInt32,
        checkedUntil: UInt32? = nil, places: [SharedPlace] = [], answerFolder: String = ""
    ) {
        self.lease = lease
        self.description = description
        self.resume = resume
        self.checkpointSeconds = checkpointSeconds
        self.checkedUntil = checkedUntil
        self.places = places
        self.answerFolder = answerFolder
    }
}

/// A blob's file on a file system that client and workers share (`--shared ROOT`).
public struct SharedPlace: Hashable, Sendable {
    public var digest: ContentDigest
    /// Below the root, whatever it is called on each machine; "/" between folders, no "..".
    public var path: String

    public init(digest: ContentDigest, path: String) {
        self.digest = digest
        self.path = path
    }

    /// Whether a path stays below its root.
    public static func isBelowRoot(_ path: String) -> Bool {
        !path.isEmpty && !path.utf8.contains(0)
            && path.split(separator: "/", omittingEmptySubsequences: false).allSatisfy {
                !$0.isEmpty && $0 != "." && $0 != ".."
            }
    }
}

/// How far a worker is with what it leases; part of its heartbeat.
public struct LeaseProgress: Hashable, Sendable {
    public var lease: Lease
    /// Share done, 0 to 1.
    public var fraction: Double
    /// Iterations completed; 0 outside sessions.
    public var iteration: UInt32
    /// What people see: "loss 0.123".
    public var note: String

    public init(lease: Lease, fraction: Double, iteration: UInt32, note: String) {
        self.lease = lease
        self.fraction = fraction
        self.iteration = iteration
        self.note = note
    }
}

/// A result: outputs are blobs that the coordinator already holds (uploaded before).
public struct WorkResult: Hashable, Sendable {
    public var lease: Lease
    public var outputs: [BlobReference]
    /// Figures, one JSON object.
    public var reportJSON: String
    /// Metrics since the last checkpoint (sessions only).
    public var metrics: [IterationFigures]
    /// How long it was computed.
    public var seconds: Double
    /// The outputs were not uploaded: they lie in the assignment's `answerFolder`, called by their digests.
    public var isShared: Bool

    public init(
        lease: Lease, outputs: [BlobReference], reportJSON: String, metrics: [IterationFigures], seconds: Double = 0,
        isShared: Bool = false
    ) {
        self.lease = lease
        self.outputs = outputs
        self.reportJSON = reportJSON
        self.metrics = metrics
        self.seconds = seconds
        self.isShared = isShared
    }
}

/// Why a worker gives work back without a result.
public enum SurrenderReason: UInt8, Sendable {
    /// The worker leaves (SIGTERM); anyone may go on.
    case drained = 1
    /// The input is at fault; trying elsewhere gives the same. Message names the file and the remedy.
    case inputRefused = 2
    /// It failed here (memory, disk, a bug); another worker may try, a bounded number of times.
    case failed = 3
}

/// One item of a run, a volume of an archive; an `ItemManifest` blob lists them.
public struct ItemSubmission: Hashable, Sendable {
    /// Name for messages and outputs: the file's name without extension.
    public var name: String
    /// What the recipe reads of it.
    public var inputs: [BlobReference]
    /// Where each input lies on a shared file system (`SharedPlace.path`); empty for none. Such inputs need not be
    /// uploaded: the coordinator asks for those that a worker does not see (`wanted`).
    public var paths: [String]
    /// What a worker needs for it; 0: no more than the run says.
    public var memoryByteCount: UInt64

    public init(name: String, inputs: [BlobReference], paths: [String] = [], memoryByteCount: UInt64 = 0) {
        self.name = name
        self.inputs = inputs
        self.paths = paths
        self.memoryByteCount = memoryByteCount
    }

    /// Where its inputs lie on a shared file system.
    public var places: [SharedPlace] {
        zip(inputs, paths).map { SharedPlace(digest: $0.digest, path: $1) }
    }
}

/// Client to coordinator: a new run. All blobs are uploaded (or registered) before.
public struct Submission: Hashable, Sendable {
    public var plan: Plan
    public var recipe: String
    public var parameters: String
    public var seed: UInt64
    /// How often steps are done that are done for each replica, and how many ballots a vote counts.
    public var replicaCount: UInt16
    public var checkpointSeconds: UInt32
    /// What steps read of the run: a data set, the weights of an ensemble in replica order.
    public var inputs: [BlobReference]
    /// The run's items as a blob (see `ItemManifest`), since 20,000 of them fit in no frame; nil without items.
    public var itemManifest: BlobReference?
    /// More items will come (`appendItems`), until `closeItems`.
    public var isOpen: Bool
    /// Submitting the same text twice gives the same run: a client may retry. At most 128 bytes.
    public var idempotencyKey: String
    /// What people call the run: the name of its folder. Empty for none.
    public var label: String
    /// Who submits it, "user@host"; empty for nobody in particular.
    public var submitter: String
    /// What a worker needs for one step; 0: not known. It goes to no worker that says it has less.
    public var memoryByteCount: UInt64
    /// The share of the work that is done once more on another machine and compared, 0 to 1.
    public var verifyShare: Double
    /// The folder of a shared file system, below its root, that answers may be put into; empty for none.
    public var answerFolder: String

    public init(
        plan: Plan, recipe: String, parameters: String, seed: UInt64, replicaCount: UInt16,
        checkpointSeconds: UInt32, inputs: [BlobReference], itemManifest: BlobReference?, idempotencyKey: String,
        label: String = "", submitter: String = "",
        memoryByteCount: UInt64 = 0, isOpen: Bool = false, verifyShare: Double = 0, answerFolder: String = ""
    ) {
        self.plan = plan
        self.recipe = recipe
        self.parameters = parameters
        self.seed = seed
        self.replicaCount = replicaCount
        self.checkpointSeconds = checkpointSeconds
        self.inputs = inputs
        self.itemManifest = itemManifest
        self.isOpen = isOpen
        self.idempotencyKey = idempotencyKey
        self.label = label
        self.submitter = submitter
        self.memoryByteCount = memoryByteCount
        self.verifyShare = verifyShare
        self.answerFolder = answerFolder
    }
}

/// One message. A request carries a request id; its answer carries the same one.
public enum Message: Hashable, Sendable {
    // Handshake.
    case hello(Hello)
    case welcome(Welcome)
    case refusal(Refusal)

    // Worker -> coordinator.
    /// Ready for one more lease.
    case idle
    /// Answered with `heartbeatAnswer`; renews the leases.
    case heartbeat([LeaseProgress])
    /// The blob has been uploaded; answered with `accepted` or `refusal(.staleLease)`.
    case checkpointSaved(Lease, Checkpoint, [IterationFigures])
    /// Answered with `accepted` or `refusal(.staleLease)`; repeated until answered.
    case finished(WorkResult)
    /// Answered with `accepted`.
    case surrender(Lease, SurrenderReason, String)

    // Coordinator -> worker.
    case assignment(Assignment)
    case heartbeatAnswer
    case accepted
    /// Stop working on this; nothing of it will be accepted.
    case revoke(Lease)
    /// Hand back what you have and leave, as after SIGTERM.
    case leave

    // Blobs, both ways. The one who has the blob never sends unasked: the receiver's offsets are the flow control.
    /// Answered with `blobChunk` or `refusal(.unknown)`.
    case blobGet(ContentDigest, offset: UInt64, byteCountMax: UInt32)
    case blobChunk(ContentDigest, offset: UInt64, byteCount: UInt64, bytes: [UInt8])
    /// Wants to upload; answered with `blobOffset` (where to go on; equal to byteCount when it is there already).
    case blobOffer(ContentDigest, byteCount: UInt64)
    case blobOffset(ContentDigest, offset: UInt64)
    /// One piece of an upload; answered with `blobOffset`, the last one only after digest and fsync.
    case blobPut(ContentDigest, offset: UInt64, bytes: [UInt8])

    // Client -> coordinator.
    /// Answered with `submitted`.
    case submit(Submission)
    case submitted(RunID)
    /// Answered with `status`: JSON (see docs/PROTOCOL.md). nil: all runs and workers. history: the events too.
    case statusRequest(RunID?, history: Bool)
    case status(json: String)
    /// Answered with `accepted`.
    case cancel(RunID)
    /// What a run has produced so far and was listed behind `after`, the sequence number of an output or 0; at most
    /// `countMax` pieces. Answered with `outputs`.
    case outputsRequest(RunID, after: UInt64, countMax: UInt32)
    case outputs([RunOutput], moreFollow: Bool)
    /// Answered with `metrics`.
    case metricsRequest(RunID, step: String, replica: UInt16, firstIteration: UInt32)
    case metrics([IterationFigures], moreFollow: Bool)
    /// Answered with `accepted`: nothing of a run that has ended is kept.
    case forget(RunID)
    /// Answered with `accepted`: the run gets no new leases; a training hands its lease back with its next checkpoint.
    case pause(RunID)
    /// Answered with `accepted`.
    case resume(RunID)
    /// Answered with `accepted`: runs of a higher priority go first; 0 is what a run begins with.
    case prioritise(RunID, priority: Int32)
    /// Answered with `accepted`: these items belong to a run whose items are not closed, from the position `first` on.
    /// Said again it changes nothing.
    case appendItems(RunID, first: UInt32, manifest: BlobReference)
    /// Answered with `accepted`: no more items come.
    case closeItems(RunID)
    /// Answered with `accepted`: the workers so called, or on the machine so called, are told to leave.
    case drain(worker: String)
    /// A machine that was set aside gets work again.
    case readmit(machine: String)
    /// Answered with `accepted`: the answers of these items of an open run, by their positions, are safe with the
    /// client. Neither their inputs nor their answers are kept any longer. Of items that have none yet it says nothing.
    case collected(RunID, items: [UInt32])
    /// Which inputs of a run are to be uploaded, because a worker does not see them on the shared file system.
    /// Answered with `wanted`.
    case wantedRequest(RunID)
    case wanted([ContentDigest])
    /// Answered with `accepted`: `changed` is said once when the run has changed from now on, and not again before the
    /// next `watch`, so that nothing piles up for a slow client. Who reads after it has said this misses nothing.
    case watch(RunID)
    /// Coordinator -> client, unasked: this run lists more, has new figures, has ended, or people have changed it.
    case changed(RunID)

    // A standby, which is a client, and its coordinator.
    /// Answered with `following`: from now on this client is told all that the coordinator keeps.
    case follow
    /// The coordinator's database as it was after the turn `number`, as a blob; later turns follow unasked.
    case following(BlobReference, number: UInt64)
    /// Coordinator -> standby, unasked: a piece of what the turn `number` has changed, in order; after the last one
    /// the standby fetches what it lacks of blobs.
    case standbyPart(number: UInt64, isLast: Bool, bytes: [UInt8])
    /// Everything up to this turn is safe with the standby. Answered with `accepted`; said again now and then as a sign
    /// of life.
    case standbyHas(number: UInt64)
}

/// Whether a piece of a run has a result, or was refused for good.
public enum RunOutputState: UInt8, Sendable { case done = 1, refused = 2 }

/// One finished piece of a run, or an input that was refused. Of an item only what its last step has made.
public struct RunOutput: Hashable, Sendable {
    /// Where it stands on the run's list, from 1 on: whatever is listed later has a higher number. There are gaps.
    public var sequence: UInt64
    /// The step's label.
    public var step: String
    /// "replica-0", the item's name, or the label of a step that is done once.
    public var name: String
    public var state: RunOutputState
    public var outputs: [BlobReference]
    /// JSON figures when done; why, when refused.
    public var report: String
    /// The item's position; nil for what is no item's.
    public var item: UInt32?
    /// Who has made it; empty where nobody has.
    public var worker: String
    /// How long it was computed, all steps of an item together.
    public var seconds: Double
    /// As `WorkResult.isShared`.
    public var isShared: Bool

    public init(
        sequence: UInt64, step: String, name: String, state: RunOutputState, outputs: [BlobReference], report: String,
        item: UInt32? = nil, worker: String = "", seconds: Double = 0, isShared: Bool = false
    ) {
        self.sequence = sequence
        self.step = step
        self.name = name
        self.state = state
        self.outputs = outputs
        self.report = report
        self.item = item
        self.worker = worker
        self.seconds = seconds
        self.isShared = isShared
    }
}
