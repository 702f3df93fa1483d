import Platform
import Protocol

/// What one turn of the loop leads to, in order. Nothing of it happens before the turn's changes are committed.
enum Outgoing: Sendable {
    /// An answer, or with request id 0 a message of the coordinator's own.
    case send(Message, requestID: UInt32, to: ConnectionID)
    /// After everything that was sent before.
    case close(ConnectionID, reason: String)
    /// At once; what waits for the peer is lost.
    case abort(ConnectionID, reason: String)
    /// To the blob thread; `sender` is a worker that has to show that it has the bytes.
    case blob(Message, requestID: UInt32, from: ConnectionID, sender: WorkerName?)
    /// To the vote thread.
    case vote(WorkID, [BlobReference])
    /// To the blob thread: are these files, which the work reads, what they were?
    case verify(WorkID, [BlobReference])
    /// A question that is answered from what is committed.
    case read(Message, requestID: UInt32, from: ConnectionID)
}

/// The changes of one turn and what follows from them.
struct Turn: Sendable {
    var changes: [StoreChange] = []
    var outgoing: [Outgoing] = []
    /// Uploads that nothing came of.
    var discarded: [ContentDigest] = []

    /// What remains of a turn whose commit failed: every answer becomes a refusal, nothing else is said, and blobs and
    /// questions, which change nothing, are served as ever.
    func failed(_ refusal: Refusal) -> [Outgoing] {
        outgoing.compactMap { outgoing in
            switch outgoing {
            case .send(_, let requestID, let connection):
                return requestID == 0 ? nil : .send(.refusal(refusal), requestID: requestID, to: connection)
            case .blob, .read, .close, .abort: return outgoing
            case .vote, .verify: return nil
            }
        }
    }
}
