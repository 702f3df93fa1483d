import Platform
import Protocol

/// Which blobs workers have sent, every byte of them. To know a digest is not to have the bytes: a worker that could
/// state any blob that is here would be given another run's images to read, as its checkpoint, and could have an
/// upload removed that nobody has submitted yet. So a blob that somebody else sent is taken from a worker once more,
/// into its hash only.
///
/// By the worker's name, since what is sent is stated over the next connection where this one ends. Not kept over a
/// restart: the worker is then told to send again. All calls may be made from any thread.
final class SentBlobs: Sendable {
    private struct Sending: Sendable {
        var offset: UInt64 = 0
        var hash = SHA256()
        var isComplete = false
    }

    private struct Page: Sendable {
        var sendings: [ContentDigest: Sending] = [:]
        /// The oldest first.
        var order: [ContentDigest] = []
        var lastUse: UInt64 = 0
    }

    private struct Book: Sendable {
        var pages: [WorkerName: Page] = [:]
        var useCount: UInt64 = 0
    }

    private let book = Guarded(Book())

    func hasSent(_ worker: WorkerName, _ digest: ContentDigest) -> Bool {
        book.withLock { $0.pages[worker]?.sendings[digest]?.isComplete == true }
    }

    /// Where a worker goes on that sends once more what is here.
    func offset(_ worker: WorkerName, _ digest: ContentDigest, byteCount: UInt64) -> UInt64 {
        book.withLock { book in
            guard let sending = book.pages[worker]?.sendings[digest] else { return 0 }
            if sending.isComplete { return byteCount }
            guard sending.offset < byteCount else {
                book.pages[worker]!.sendings[digest] = Sending()
                return 0
            }
            return sending.offset
        }
    }

    /// A piece. Returns how far the worker has come without a gap; nil when the piece begins behind that.
    func take(_ worker: WorkerName, _ digest: ContentDigest, offset: UInt64, bytes: [UInt8]) -> UInt64? {
        book.withLock { book in
            Self.open(worker, digest, in: &book)
            let known = book.pages[worker]!.sendings[digest]!.offset
            let (end, overflow) = offset.addingReportingOverflow(UInt64(bytes.count))
            guard offset <= known, !overflow else { return nil }
            guard end > known, !book.pages[worker]!.sendings[digest]!.isComplete else { return known }
            bytes.withUnsafeBytes {
                let new = UnsafeRawBufferPointer(rebasing: $0[Int(known - offset)...])
                book.pages[worker]!.sendings[digest]!.hash.update(new)
            }
            book.pages[worker]!.sendings[digest]!.offset = end
            return end
        }
    }

    /// All has come. Returns whether it is what it was said to be; if not, it begins anew.
    func end(_ worker: WorkerName, _ digest: ContentDigest) -> Bool {
        book.withLock { book in
            guard let sending = book.pages[worker]?.sendings[digest] else { return false }
            if sending.isComplete { return true }
            var next = Sending()
            next.isComplete = sending.hash.digest() == digest.bytes
            if next.isComplete { next.offset = sending.offset }
            book.pages[worker]!.sendings[digest] = next
            return next.isComplete
        }
    }

    /// Makes room where it has to: whoever is forgotten sends again.
    private static func open(_ worker: WorkerName, _ digest: ContentDigest, in book: inout Book) {
        book.useCount += 1
        if book.pages[worker] == nil {
            if book.pages.count >= Limits.connectionsMax,
                let oldest = book.pages.min(by: { $0.value.lastUse < $1.value.lastUse })
            {
                book.pages[oldest.key] = nil
            }
            book.pages[worker] = Page()
        }
        book.pages[worker]!.lastUse = book.useCount
        guard book.pages[worker]!.sendings[digest] == nil else { return }
        if book.pages[worker]!.order.count >= Limits.sentBlobsMax {
            book.pages[worker]!.sendings[book.pages[worker]!.order.removeFirst()] = nil
        }
        book.pages[worker]!.sendings[digest] = Sending()
        book.pages[worker]!.order.append(digest)
    }
}
