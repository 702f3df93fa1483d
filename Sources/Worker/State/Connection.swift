import Protocol

/// The life of the connection to the coordinator.
///
/// - away: none; the next attempt is made at `retryAt`. Pauses double up to 15 s, or half a lease where that is
///   shorter: a coordinator that starts again waits one lease for those who hold its work (`Backoff`).
/// - dialling: the shell has been asked for one and has not answered. Given up after 10 s.
/// - greeting: it stands, `hello` is out. Given up when no `welcome` came within 5 s.
/// - serving: welcomed. Heartbeats go out at the coordinator's interval; a coordinator that says nothing for a whole
///   lease is taken for gone.
/// - closed: the worker has left; nothing happens any more.
struct Connection: Sendable {
    enum Phase: Sendable {
        case away(retryAt: UInt64)
        case dialling(until: UInt64)
        case greeting(until: UInt64, helloID: RequestID)
        case serving(Service)
        case closed

        var name: String {
            switch self {
            case .away: "away"
            case .dialling: "dialling"
            case .greeting: "greeting"
            case .serving: "serving"
            case .closed: "closed"
            }
        }
    }

    struct Service: Sendable {
        let welcomedAt: UInt64
        let heartbeatMilliseconds: UInt64
        let leaseMilliseconds: UInt64
        var heartbeatAt: UInt64
        var heardAt: UInt64
        /// When `idle` was said and no assignment came since; nil when it is still to be said.
        var idleSaidAt: UInt64?

        init(_ welcome: Welcome, at now: UInt64) {
            welcomedAt = now
            // A coordinator's odd figures must not make us flood it, or fall silent.
            heartbeatMilliseconds = min(max(UInt64(welcome.heartbeatMilliseconds), 50), 60_000)
            leaseMilliseconds = min(max(UInt64(welcome.leaseMilliseconds), 3 * heartbeatMilliseconds), 3_600_000)
            heartbeatAt = now + heartbeatMilliseconds
            heardAt = now
        }

        var silenceEndsAt: UInt64 { heardAt + leaseMilliseconds }
    }

    private(set) var phase = Phase.closed
    /// Whether a coordinator was ever at the other end: then what is wrong may pass.
    private(set) var hasServed = false
    private var backoff: Backoff
    private var retryLastMilliseconds = WorkerLimits.retryLastMilliseconds

    init(name: String) { backoff = Backoff(name: name) }

    var service: Service? {
        get { if case .serving(let service) = phase { service } else { nil } }
        set { if let newValue { phase = .serving(newValue) } }
    }

    /// Whether the shell holds, or is making, a connection.
    var isOpen: Bool {
        switch phase {
        case .dialling, .greeting, .serving: true
        case .away, .closed: false
        }
    }

    var isClosed: Bool { if case .closed = phase { true } else { false } }

    var wakeMilliseconds: UInt64? {
        switch phase {
        case .away(let retryAt): retryAt
        case .dialling(let until), .greeting(let until, _): until
        case .serving(let service): min(service.heartbeatAt, service.silenceEndsAt)
        case .closed: nil
        }
    }

    mutating func start(atMilliseconds now: UInt64) { phase = .away(retryAt: now) }

    mutating func dial(atMilliseconds now: UInt64) {
        phase = .dialling(until: now + WorkerLimits.dialMilliseconds)
    }

    mutating func greet(helloID: RequestID, atMilliseconds now: UInt64) {
        phase = .greeting(until: now + Limits.handshakeMilliseconds, helloID: helloID)
    }

    mutating func welcome(_ welcome: Welcome, atMilliseconds now: UInt64) {
        let service = Service(welcome, at: now)
        phase = .serving(service)
        hasServed = true
        retryLastMilliseconds = min(
            WorkerLimits.retryLastMilliseconds, max(WorkerLimits.retryFirstMilliseconds, service.leaseMilliseconds / 2))
    }

    /// - Returns: milliseconds until the next attempt.
    mutating func lose(atMilliseconds now: UInt64) -> UInt64 {
        if let service, now - service.welcomedAt >= WorkerLimits.settledMilliseconds { backoff.reset() }
        let pause = backoff.nextPauseMilliseconds(lastMilliseconds: retryLastMilliseconds)
        phase = .away(retryAt: now + pause)
        return pause
    }

    mutating func close() { phase = .closed }
}
