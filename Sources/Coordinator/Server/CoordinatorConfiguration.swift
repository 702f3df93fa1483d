import Platform

/// How a coordinator is set up.
public struct CoordinatorConfiguration: Sendable {
    /// The folder of everything that must survive: `state.sqlite`, `blobs/`, `lock`. Made where it is missing.
    public var stateDirectory: String
    /// "127.0.0.1", a name or address of this machine, or "*" for every address.
    public var host: String
    /// 0 for any free one.
    public var port: UInt16
    /// Without protection only loopback addresses are listened at.
    public var security: ConnectionSecurity
    /// A worker that gives no sign of life for so long loses its work to others.
    public var leaseSeconds: Double
    /// How often workers give a sign of life; at most a third of `leaseSeconds` makes sense.
    public var heartbeatSeconds: Double
    /// Blobs that no run needs, uploads that were never submitted and lists of volumes among them, are removed when
    /// nobody has offered them for so long.
    public var unusedBlobSeconds: Double
    /// Runs are forgotten when they have ended so long ago; nil: never.
    public var endedRunSeconds: Double?
    /// The program's version and build, for peers.
    public var build: String
    /// Nothing is acknowledged before another coordinator, which follows this one, keeps it as well.
    public var needsStandby = false
    /// Where several coordinators see which of them leads; nil where there is only one.
    public var leader: LeaderFolder?
    /// Where `/metrics`, `/health` and `/ready` are, over plain HTTP and for anybody who reaches it; nil: nowhere.
    public var metricsAddress: NetworkAddress?
    /// Where people look on and steer by a browser; nil: nowhere. Without a certificate on loopback only.
    public var liveAddress: NetworkAddress?
    /// Of that page: certificates and private key, PEM texts.
    public var liveCertificate: (chain: String, key: String)?
    /// Every entry of the audit is appended to this file as a line of JSON ("-": to standard output); nil: nowhere.
    public var eventLog: String?
    /// Whoever watches over the process hears that its loop turns.
    public var serviceNotice = ServiceNotice.none
    public var log: Log
    package var limits = PeerLimits()

    public init(
        stateDirectory: String, host: String = "127.0.0.1", port: UInt16 = 0,
        security: ConnectionSecurity = .plaintext, leaseSeconds: Double = 30, heartbeatSeconds: Double = 5,
        unusedBlobSeconds: Double = 7 * 86_400, endedRunSeconds: Double? = nil, build: String = "quintet",
        log: Log = .none
    ) {
        self.stateDirectory = stateDirectory
        self.host = host
        self.port = port
        self.security = security
        self.leaseSeconds = leaseSeconds
        self.heartbeatSeconds = heartbeatSeconds
        self.unusedBlobSeconds = unusedBlobSeconds
        self.endedRunSeconds = endedRunSeconds
        self.build = build
        self.log = log
    }

    var leaseMilliseconds: Int64 { Int64(leaseSeconds * 1000) }
    var heartbeatMilliseconds: UInt32 { UInt32(heartbeatSeconds * 1000) }
}

/// Why a coordinator cannot start, or had to stop.
public struct CoordinatorError: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong and what to do.
    public var description: String

    public init(_ description: String) { self.description = description }
}
