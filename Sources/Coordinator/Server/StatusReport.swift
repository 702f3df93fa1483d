/// What `Message.status` carries as JSON, keys as the names here; absent where there is nothing to say.
public struct StatusReport: Codable, Sendable {
    /// The coordinator's version and build.
    public var build: String
    /// When this was said: "2026-03-01T08:30:00Z".
    public var time: String
    /// What people have to do something about: the coordinator's disk is full.
    public var problem: String?
    /// Machines that got other bytes than two others and get no work, and why; absent where there are none.
    public var setAside: [String: String]?
    /// How many workers could compute at this moment, those that do included: for whoever starts and stops them.
    public var workersOfUse: Int
    /// Oldest first. All that run; of those that have ended the latest ones.
    public var runs: [Run]
    /// By name.
    public var workers: [Worker]
    /// The audit, oldest first; only when history was asked for, and then the latest entries.
    public var events: [Event]?

    public struct Run: Codable, Sendable {
        public var id: UInt64
        /// The plan's name: "train" or "segment".
        public var kind: String
        public var recipe: String
        /// "running", "ended" (everything is done or refused) or "cancelled".
        public var state: String
        /// What people call it; absent where nobody said.
        public var label: String?
        /// "user@host".
        public var submitter: String?
        /// "2026-03-01T08:30:00Z".
        public var submittedAt: String
        public var endedAt: String?
        /// It gets no new leases.
        public var isPaused: Bool
        /// Higher goes first; 0 is what a run begins with.
        public var priority: Int32
        public var idempotencyKey: String
        public var seed: UInt64
        /// How the workers compute that do its sessions: the digest of what they prove; absent before the first.
        public var arithmetic: String?
        /// Its settings, the recipe's own JSON.
        public var parameters: String
        public var replicaCount: Int
        /// Iterations of each replica, of all sessions together; 0 without sessions.
        public var iterationCount: UInt32
        /// Items: the volumes of an archive.
        public var volumeCount: Int
        /// How many of those have their answer, or none; absent where there are no items.
        public var volumes: Volumes?
        /// Share done, 0 to 1.
        public var fraction: Double
        /// Of all sessions together.
        public var iterationsPerSecond: Double?
        /// Items that are finished.
        public var volumesPerSecond: Double?
        /// Seconds until the end at the present rate; absent while there is no rate.
        public var secondsLeft: Double?
        /// Pieces of work: all, and by state. Each step of an item is one.
        public var works: Works
        /// Replicas, inputs or volumes that were refused; the outputs say why.
        public var refusedCount: Int
        /// The first of them, and why.
        public var refusals: [Refusal]?
        /// What is done once more to be compared; absent where nobody has asked for it.
        public var checks: Checks?
        /// Why it does not go on, where people have to do something.
        public var problem: String?
        /// Of sessions only.
        public var replicas: [Replica]?
    }

    public struct Checks: Codable, Sendable {
        /// Under way, or waiting for a machine.
        public var open: Int
        /// Two machines agree, after a third one where it was needed.
        public var done: Int
        /// Nobody could, or too often it failed: nothing is known.
        public var missed: Int
        /// Of those missed: machines got different bytes, and nobody could decide.
        public var disputed: Int
    }

    public struct Refusal: Codable, Sendable {
        /// "replica-0", an item's name, a step's label.
        public var name: String
        public var reason: String
    }

    public struct Works: Codable, Sendable {
        public var total: Int
        /// Inputs are missing, or the coordinator counts the votes.
        public var waiting: Int
        /// Could be leased.
        public var ready: Int
        public var leased: Int
        public var done: Int
        public var refused: Int
        public var cancelled: Int
    }

    public struct Volumes: Codable, Sendable {
        public var done: Int
        /// For a reason of their own, or of what they need.
        public var refused: Int
        /// Neither, and not cancelled.
        public var waiting: Int
    }

    public struct Replica: Codable, Sendable {
        /// The session's label.
        public var step: String
        public var replica: Int
        /// "ready", "leased", "done", "refused" or "cancelled".
        public var state: String
        /// Iterations completed, as far as its worker has said.
        public var iteration: UInt32
        /// Iterations that are safe in a checkpoint.
        public var checkpointIteration: UInt32
        /// Of the latest iteration whose figures have arrived.
        public var figures: [String: Double]?
        /// That iteration.
        public var figuresIteration: UInt32?
        public var iterationsPerSecond: Double?
        public var secondsLeft: Double?
        public var worker: String?
        /// What its worker says, for people.
        public var note: String?
    }

    public struct Worker: Codable, Sendable {
        public var name: String
        public var build: String
        public var device: String
        public var threadCount: Int
        /// What it may have of its machine's memory; absent where it does not know.
        public var memoryByteCount: UInt64?
        public var isConnected: Bool
        /// It is asked to leave.
        public var isLeaving: Bool
        /// What its small fixed computation gave, the beginning of it: equal for workers that give the same bytes.
        public var arithmetic: String?
        /// Since it came, lost connections in between or not.
        public var hereSeconds: Double?
        /// How many times as long as usual its latest work took; absent before it has done any.
        public var slowness: Double?
        /// Since it was last heard.
        public var silentSeconds: Double
        /// What it works on; absent when it is idle.
        public var work: WorkerTask?
    }

    public struct WorkerTask: Codable, Sendable {
        public var run: UInt64
        /// The step's label.
        public var step: String
        /// "replica-0", an item's name, a step's label.
        public var name: String
        public var epoch: UInt64
        public var fraction: Double
        /// Of a session.
        public var iterationsPerSecond: Double?
        /// Since the lease was granted.
        public var seconds: Double
        public var note: String?
    }

    public struct Event: Codable, Sendable {
        /// Grows from each to the next.
        public var id: Int64
        public var time: String
        public var run: UInt64?
        /// What happened, in a word that is never renamed: "lease", "checkpoint", "release"; docs/OPERATION.md has all.
        /// Empty for what an earlier version wrote.
        public var kind: String
        /// "replica-3", an item's name, a step's label; absent where it is about no piece of work.
        public var piece: String?
        /// The lease that it is about: its work and its epoch, and whose it is.
        public var work: UInt64?
        public var epoch: UInt64?
        public var worker: String?
        /// Of a session: from which iteration on it is leased, or up to which it has come.
        public var iteration: UInt32?
        /// How a lease ended: "lapsed", "not held", "drained", "failed" or "revoked".
        public var outcome: String?
        /// The same for people, and why: "work 4 epoch 2 leased to lab7:311, from iteration 400".
        public var message: String
    }
}
