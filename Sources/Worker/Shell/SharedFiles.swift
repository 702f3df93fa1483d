import Dispatch
import Platform
import Protocol

/// A file system that this worker shares with the client (`--shared ROOT`): inputs are read there and answers written
/// there, on a thread of its own, so that a file server that hangs holds up no heartbeat.
///
/// What a path may be is bounded twice: the protocol lets nothing through that leaves the root, and answers go only
/// into a folder that the client has made for them.
final class SharedFiles: Sendable {
    /// What the folder for answers is called: nothing else is written into.
    static let answerFolderName = ".quintet-answers"
    private static let pieceBytes = 4 << 20

    private let root: String
    private let cache: WorkerCache
    private let events = Guarded<[WorkerEvent]>([])
    private let waker: NetworkWaker
    private let queue = DispatchQueue(label: "quintet.shared")

    init(root: String, cache: WorkerCache, waker: NetworkWaker) {
        (self.root, self.cache, self.waker) = (root, cache, waker)
    }

    func takeAll() -> [WorkerEvent] {
        events.withLock { events in
            defer { events = [] }
            return events
        }
    }

    private func post(_ event: WorkerEvent) {
        events.withLock { $0.append(event) }
        waker.wake()
    }

    // MARK: - Inputs

    /// Takes a file into the cache; its digest is computed on the way.
    func read(_ digest: ContentDigest, byteCount: UInt64, path: String) {
        queue.async { [self] in post(taken(digest, byteCount: byteCount, from: "\(root)/\(path)")) }
    }

    private func taken(_ digest: ContentDigest, byteCount: UInt64, from file: String) -> WorkerEvent {
        do {
            let found = try FileSystem.byteCount(of: file)
            guard found == byteCount else {
                return .sharedMissing(digest, "\(file) has \(found) bytes, not \(byteCount): it is asked for")
            }
            var offset = try cache.blobs.offer(digest.bytes, byteCount: byteCount)
            while offset < byteCount {
                let bytes = try FileSystem.read(
                    file, offset: offset, count: Int(min(UInt64(Self.pieceBytes), byteCount - offset)))
                guard !bytes.isEmpty else { return .sharedMissing(digest, "\(file) is being cut: it is asked for") }
                let event = cache.store(digest, offset: offset, bytes: bytes)
                guard case .blobHeld(_, let held) = event else {
                    guard case .blobDamaged = event else { return event }
                    return .sharedMissing(digest, "\(file) is not what it was said to be: it is asked for")
                }
                offset = held
            }
            return .blobHeld(digest, byteCount: byteCount)
        } catch {
            return .sharedMissing(digest, "not read from the shared file system (\(error)): it is asked for")
        }
    }

    // MARK: - Answers

    /// Whether what is made under this assignment can be put where the client finds it.
    func takes(_ assignment: Assignment) -> Bool {
        let folder = assignment.answerFolder
        return assignment.checkedUntil == nil && SharedPlace.isBelowRoot(folder)
            && folder.split(separator: "/").last.map(String.init) == Self.answerFolderName
            && FileSystem.isFolder("\(root)/\(folder)")
    }

    /// Writes a result's files; where that fails, they are sent as always.
    /// - Parameter end: `computeEnded` with what was made.
    func write(_ end: WorkerEvent, of assignment: Assignment) {
        queue.async { [self] in post(written(end, of: assignment)) }
    }

    private func written(_ end: WorkerEvent, of assignment: Assignment) -> WorkerEvent {
        guard case .computeEnded(let lease, .done(let outputs, let report, let seconds, _)) = end else { return end }
        do {
            for output in outputs {
                try AtomicFile.write(
                    output.bytes, to: "\(root)/\(assignment.answerFolder)/\(output.reference.digest)")
            }
            return .computeEnded(
                lease, .done(outputs: outputs, reportJSON: report, seconds: seconds, isShared: true))
        } catch {
            return end
        }
    }
}
