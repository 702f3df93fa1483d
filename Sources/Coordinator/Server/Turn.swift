import Platform
import Protocol

/// What a turn of the loop leads to, in order.
package enum Outgoing: Sendable {
    /// An answer, or with request id 0 a message of the coordinator's own.
    case send(Message, requestID: UInt32, to: ConnectionID)
    /// To the live page: what a client would be told (`CoordinatorCore.act`).
    case tell(Message, ticket: UInt64)
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
    /// To the blob thread: a file that is not what it was, kept beside the others.
    case setAside(ContentDigest)
    /// To the store's thread: a copy of everything that is committed, for a standby.
    case snapshot(requestID: UInt32, to: ConnectionID)
    /// To the blob thread: nothing refers to these.
    case removeBlobs([ContentDigest])
}

/// The changes of one turn and what follows from them.
package struct Turn: Sendable {
    /// One more than that of the turn before.
    package let number: UInt64
    /// In one transaction.
    package var changes: [StoreChange] = []
    /// Uploads that nothing came of: the store says which of them it does not know.
    package var candidates: [ContentDigest] = []
    /// What promises nothing: said when the turn ends.
    var atOnce: [Outgoing] = []
    /// Said and done when this turn, and every one before it, is committed.
    package var outgoing: [Outgoing] = []

    package init(number: UInt64, changes: [StoreChange] = []) { (self.number, self.changes) = (number, changes) }

    /// Blobs that count once it is committed.
    package var references: Set<ContentDigest> { Set(changes.flatMap(\.references)) }

    /// What remains of a turn whose commit failed: every answer becomes a refusal, nothing else is said, and blobs and
    /// questions, which change nothing, are served as ever.
    func failed(_ refusal: Refusal) -> [Outgoing] {
        outgoing.compactMap { outgoing in
            switch outgoing {
            case .send(_, let requestID, let connection):
                return requestID == 0 ? nil : .send(.refusal(refusal), requestID: requestID, to: connection)
            case .tell(_, let ticket): return .tell(.refusal(refusal), ticket: ticket)
            case .blob, .read, .close, .abort, .setAside, .snapshot: return outgoing
            case .vote, .verify, .removeBlobs: return nil
            }
        }
    }
}
