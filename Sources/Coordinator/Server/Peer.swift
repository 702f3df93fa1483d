import Platform
import Protocol

/// A connection as the coordinator knows it.
package struct Peer {
    package enum Role: Hashable {
        /// Has not said hello yet.
        case unknown
        case worker(WorkerName)
        case client
        /// A worker that has connected again; what this connection still says is not heard.
        case replaced
    }

    let connection: ConnectionID
    /// "10.0.0.7:40112".
    let address: String
    /// The address without the port.
    var machine: Substring { address[..<(address.lastIndex(of: ":") ?? address.endIndex)] }
    let acceptedMilliseconds: UInt64
    package var role = Role.unknown
    /// What a worker may read and write.
    var leases = LeaseAccess()
    package var decoder = FrameDecoder()
    package var heardMilliseconds: UInt64
    /// When the frame began that has not ended yet.
    package var frameBeganMilliseconds: UInt64?
    /// Blob requests on the blob thread.
    var openRequestCount = 0
    /// Questions and submissions since everything that was sent to it had left.
    var openQuestionCount = 0
    /// Uploads that were not what it had said.
    var blobFaultCount = 0
    /// Results under leases that are not its own.
    var staleResults = MinuteCount()
    var isClosing = false

    package init(connection: ConnectionID, address: String, nowMilliseconds: UInt64) {
        self.connection = connection
        self.address = address
        self.acceptedMilliseconds = nowMilliseconds
        self.heardMilliseconds = nowMilliseconds
    }

    /// Why the peer has to go; nil while it keeps to the rules.
    package func overdue(
        at nowMilliseconds: UInt64, silenceMilliseconds: UInt64, _ limits: PeerLimits
    ) -> String? {
        if role == .unknown && nowMilliseconds > acceptedMilliseconds + limits.handshakeMilliseconds {
            return "it did not say hello in time"
        }
        if let began = frameBeganMilliseconds, nowMilliseconds > began + limits.frameMilliseconds {
            return "it did not end a frame in time"
        }
        if case .worker = role, nowMilliseconds > heardMilliseconds + silenceMilliseconds {
            return "it has been silent too long"
        }
        if role == .client, nowMilliseconds > heardMilliseconds + limits.clientSilenceMilliseconds {
            return "it has been silent too long"
        }
        return nil
    }
}
