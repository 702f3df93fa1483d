import Synchronization

/// Every change to a disk that this program makes, in order: from it a test builds all the states in which a power cut
/// may leave the disk. Where nobody records, a change is one load of a flag more.
package enum DiskTrace {
    package enum Operation: Hashable, Sendable {
        case makeFolder(String)
        /// A file that was not there before.
        case create(String)
        case write(String, offset: UInt64, [UInt8])
        /// To no bytes.
        case truncate(String)
        case sync(String)
        /// A sync that went wrong: nothing may be taken to be on the disk.
        case syncFailed(String)
        case rename(String, to: String)
        case remove(String)
        case syncFolder(String)
    }

    private struct Recording: Sendable {
        var folder = ""
        var operations: [Operation] = []
    }

    private static let isRecording = Atomic<Bool>(false)
    private static let recordings = Guarded<[Recording]>([])

    /// What `body` does to files whose path begins with `folder`, and what other threads do there meanwhile.
    package static func record(under folder: String, _ body: () throws -> Void) rethrows -> [Operation] {
        recordings.withLock {
            $0.append(Recording(folder: folder))
            isRecording.store(true, ordering: .releasing)
        }
        defer { _ = end(folder) }
        try body()
        return end(folder)
    }

    private static func end(_ folder: String) -> [Operation] {
        recordings.withLock { recordings in
            guard let index = recordings.firstIndex(where: { $0.folder == folder }) else { return [] }
            defer { isRecording.store(!recordings.isEmpty, ordering: .releasing) }
            return recordings.remove(at: index).operations
        }
    }

    @inline(__always)
    static func note(_ path: String, _ operation: @autoclosure () -> Operation) {
        guard isRecording.load(ordering: .relaxed) else { return }
        recordings.withLock { recordings in
            for index in recordings.indices where path.hasPrefix(recordings[index].folder) {
                recordings[index].operations.append(operation())
            }
        }
    }
}
