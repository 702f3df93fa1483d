import Platform

/// How a worker process is set up.
public struct WorkerConfiguration: Sendable {
    /// The coordinator's address.
    public var host: String
    public var port: UInt16
    /// Where the coordinator is when it is not at the first address: those of its standbys.
    public var standbys: [NetworkAddress] = []
    public var security: ConnectionSecurity
    /// Threads that compute; at least 1. The network has a thread of its own that is nearly always asleep.
    public var threadCount: Int
    /// "cpu" or "cuda:0"; said to the coordinator.
    public var device: String
    /// What the machine or container lets this process have; said to the coordinator, which sends nothing that needs
    /// more. 0: not known.
    public var memoryByteCount: UInt64
    /// For blobs and for what recipes prepare from them. Made where it is missing; several workers may share it, and
    /// then fetch every blob once.
    public var cacheDirectory: String
    /// The blobs in the cache have at most this many bytes, the recipes' prepared files as many again.
    public var cacheBytesMax: UInt64
    /// For people: "host:pid-9f2c1b04". Unique among the cluster's processes, and per start of one.
    public var name: String
    /// Version and build of the program, for messages.
    public var build: String
    /// Work whose computation shows no progress for so long is given back, so that another worker gets it.
    public var progressSeconds: Double
    /// Where this machine has the file system that clients share with workers; nil where it has none.
    public var sharedRoot: String?
    /// Whether SIGTERM and its like (`StopSignal`, installed by the program) drain this worker.
    public var drainsOnStopSignal: Bool
    /// Whoever watches over the process hears that its loop turns.
    public var serviceNotice = ServiceNotice.none
    /// Lines for people, from the thread that runs the daemon; without a time.
    public var log: Log

    /// In the order in which they are tried.
    var addresses: [NetworkAddress] { [NetworkAddress(host: host, port: port)] + standbys }

    public init(
        host: String, port: UInt16, security: ConnectionSecurity, threadCount: Int, device: String = "cpu",
        memoryByteCount: UInt64 = 0,
        cacheDirectory: String, cacheBytesMax: UInt64 = 64 << 30, name: String, build: String,
        progressSeconds: Double = 3_600, drainsOnStopSignal: Bool = false, log: Log
    ) {
        precondition(threadCount >= 1 && threadCount <= Int(UInt16.max), "a worker has 1 to 65535 threads")
        self.host = host
        self.port = port
        self.security = security
        self.threadCount = threadCount
        self.device = device
        self.memoryByteCount = memoryByteCount
        self.cacheDirectory = cacheDirectory
        self.cacheBytesMax = cacheBytesMax
        self.name = name
        self.build = build
        self.progressSeconds = progressSeconds
        self.drainsOnStopSignal = drainsOnStopSignal
        self.log = log
    }
}

/// Why a worker ends without having been asked to.
public enum WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The coordinator at the address will never serve it (another version, a wrong token); what to do.
    case refused(coordinator: String, String)

    public var description: String {
        switch self {
        case .refused(let coordinator, let message):
            "the coordinator at \(coordinator) does not take this worker: \(message)"
        }
    }
}
