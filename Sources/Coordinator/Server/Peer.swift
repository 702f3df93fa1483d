import Platform
import Protocol

/// A connection as the coordinator knows it.
struct Peer {
    enum Role: Hashable {
        /// Has not said hello yet.
        case unknown
        case worker(WorkerName)
        case client
        /// A worker that has connected again; what this connection still says is not heard.
        case replaced
    }

    let connection: ConnectionID
    let address: String
    let acceptedMilliseconds: UInt64
    var role = Role.unknown
    var decoder = FrameDecoder()
    var heardMilliseconds: UInt64
    /// When the frame began that has not ended yet.
    var frameBeganMilliseconds: UInt64?
    /// Blob requests on the blob thread.
    var openRequestCount = 0
    var isClosing = false

    init(connection: ConnectionID, address: String, nowMilliseconds: UInt64) {
        self.connection = connection
        self.address = address
        self.acceptedMilliseconds = nowMilliseconds
        self.heardMilliseconds = nowMilliseconds
    }

    /// Why the peer has to go; nil while it keeps to the rules.
    func overdue(at nowMilliseconds: UInt64, silenceMilliseconds: UInt64) -> String? {
        if role == .unknown && nowMilliseconds > acceptedMilliseconds + Limits.handshakeMilliseconds {
            return "it did not say hello in time"
        }
        if let began = frameBeganMilliseconds, nowMilliseconds > began + Limits.frameMilliseconds {
            return "it did not end a frame in time"
        }
        if case .worker = role, nowMilliseconds > heardMilliseconds + silenceMilliseconds {
            return "it has been silent too long"
        }
        return nil
    }
}
