import Platform
import Protocol

/// How a standby is set up.
public struct StandbyConfiguration: Sendable {
    /// Where it keeps what the other keeps.
    public var stateDirectory: String
    /// The coordinator that it follows.
    public var address: NetworkAddress
    public var security: ConnectionSecurity
    public var build: String
    /// Asked all the time: true once the other coordinator is known to lead no more.
    public var hasLed: @Sendable (_ isConnected: Bool) throws -> Bool = { _ in false }
    public var serviceNotice = ServiceNotice.none
    public var log: Log

    public init(
        stateDirectory: String, address: NetworkAddress, security: ConnectionSecurity, build: String, log: Log
    ) {
        self.stateDirectory = stateDirectory
        self.address = address
        self.security = security
        self.build = build
        self.log = log
    }
}

/// A second coordinator that keeps what the first one keeps, and serves nobody before it is promoted.
///
/// It connects as a client, gets a copy of the database and then every later change of it, and fetches the blobs that
/// it lacks. A connection that is lost begins anew with a copy; the blobs stay. What it says it has is synced.
public final class Standby: @unchecked Sendable {
    public enum Ending: Sendable { case stopped, promoted }

    private let configuration: StandbyConfiguration
    private let isStopRequested = Guarded(false)
    // Unchecked: `run`'s thread has all of these.
    private let blobs: BlobDirectory
    private var store: StandbyStore?
    private var notice: ServiceNotice
    private var lock: FolderLock?
    private var toldTrouble = ""
    /// The way may let nothing large through (`NetworkLoop.connect`).
    private var hasLostConnection = false

    private var databasePath: String { configuration.stateDirectory + "/state.sqlite" }

    private static let signMilliseconds: UInt64 = 2_000
    private static let waitMilliseconds: UInt64 = 200
    private static let retryMilliseconds: UInt64 = 500
    private static let snapshotMilliseconds: UInt64 = 600_000

    /// - Throws: `CoordinatorError` for a folder that is a coordinator's; `FileError`, `FolderLock.Held`.
    public init(configuration: StandbyConfiguration) throws {
        self.configuration = configuration
        notice = configuration.serviceNotice
        try FileSystem.makeFolder(configuration.stateDirectory, isPrivate: true)
        lock = try FolderLock(folder: configuration.stateDirectory)
        try StandbyFolder.claim(configuration.stateDirectory, following: "\(configuration.address)")
        blobs = try BlobDirectory(path: configuration.stateDirectory + "/blobs")
    }

    /// Ends `run` soon. From any thread.
    public func requestStop() { isStopRequested.withLock { $0 = true } }

    private struct Promoted: Error {}

    /// Follows until it is stopped or promoted. Once; afterwards the folder is free for the coordinator.
    /// - Throws: what makes it impossible to go on.
    public func run() throws -> Ending {
        defer {
            store?.close()
            lock = nil
        }
        notice.begun("follows \(configuration.address)")
        do {
            while true {
                do { try follow() } catch let trouble where Self.isPassing(trouble) { tell(trouble) }
                try pause()
            }
        } catch is Promoted {
            try becomeCoordinators()
            return .promoted
        } catch ClientError.interrupted {
            return .stopped
        }
    }

    /// A coordinator that is away, or starts again, or has no room.
    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case is ClientConnection.Lost, is NetworkError, is StoreError: true
        case ClientError.refused(let refusal): refusal.code != .version && refusal.code != .notAllowed
        default: false
        }
    }

    private func tell(_ trouble: any Error) {
        let text = (trouble as? ClientConnection.Lost)?.reason ?? "\(trouble)"
        guard text != toldTrouble else { return }
        toldTrouble = text
        configuration.log.problem("the coordinator at \(configuration.address) is not followed: \(text); trying again")
    }

    /// Asked in every wait, however long a copy takes: whoever watches over the process hears that it lives.
    private func isStopped() -> Bool {
        notice.isAlive(at: MonotonicClock.nowMilliseconds())
        return isStopRequested.withLock { $0 }
    }

    /// - Throws: `Promoted`, `ClientError.interrupted`.
    private func look(isConnected: Bool) throws {
        if isStopped() { throw ClientError.interrupted }
        if StandbyFolder.isPromotionWished(configuration.stateDirectory) { throw Promoted() }
        guard FileSystem.exists(databasePath) else { return }
        do {
            if try configuration.hasLed(isConnected) { throw Promoted() }
        } catch let error as FileError {
            // Nobody knows who leads: nothing is taken over.
            tell(error)
        }
    }

    private func pause() throws {
        let end = MonotonicClock.nowMilliseconds() + Self.retryMilliseconds
        while MonotonicClock.nowMilliseconds() < end {
            try look(isConnected: false)
            MonotonicClock.sleep(milliseconds: 50)
        }
    }

    // MARK: - Following

    private func follow() throws {
        let connection = try ClientConnection(
            address: configuration.address, security: configuration.security, build: configuration.build,
            hasSmallSegments: hasLostConnection,
            isStopped: { [self] in isStopped() })
        hasLostConnection = true
        guard case .following(let snapshot, var number) = try connection.request(
            .follow, milliseconds: Self.snapshotMilliseconds)
        else { throw ClientError.violation("it did not answer follow with following") }
        try install(snapshot, over: connection)
        for blob in try store!.blobs() { try fetch(blob, over: connection) }
        try say(number, to: connection)
        toldTrouble = ""
        configuration.log("follows the coordinator at \(configuration.address): everything it keeps is here")
        var saidAt = MonotonicClock.nowMilliseconds(), bytes: [UInt8] = []
        while true {
            try look(isConnected: true)
            if let part = try connection.nextStandbyPart(milliseconds: Self.waitMilliseconds) {
                bytes += part.bytes
                guard bytes.count <= Limits.standbyChangeBytesMax else {
                    throw ClientError.violation("one turn changes more than \(Limits.standbyChangeBytesMax) bytes")
                }
                guard part.isLast else { continue }
                try take(try StandbyChange(number: part.number, bytes: bytes), over: connection)
                (number, bytes) = (part.number, [])
            } else if MonotonicClock.nowMilliseconds() < saidAt + Self.signMilliseconds {
                continue
            }
            try say(number, to: connection)
            saidAt = MonotonicClock.nowMilliseconds()
        }
    }

    private func say(_ number: UInt64, to connection: ClientConnection) throws {
        guard case .accepted = try connection.request(.standbyHas(number: number)) else {
            throw ClientError.violation("it did not answer standbyHas with accepted")
        }
    }

    /// The copy takes the place of what was here, in one step.
    private func install(_ snapshot: BlobReference, over connection: ClientConnection) throws {
        let incoming = try BlobDirectory(path: configuration.stateDirectory + "/incoming")
        let offset = try incoming.offer(snapshot.digest.bytes, byteCount: snapshot.byteCount)
        try connection.fetch(snapshot, from: offset) { offset, bytes in
            _ = try incoming.append(snapshot.digest.bytes, offset: offset, bytes: bytes)
        }
        guard let path = incoming.path(of: snapshot.digest.bytes) else {
            throw ClientError.damaged(name: snapshot.name)
        }
        // What a crash has left in the write-ahead log goes into the file, so that it is whole until the other is
        // there.
        if store == nil, FileSystem.exists(databasePath) { store = try? StandbyStore(path: databasePath) }
        store?.close()
        store = nil
        for suffix in ["-wal", "-shm"] where FileSystem.exists(databasePath + suffix) {
            try FileSystem.remove(databasePath + suffix)
        }
        try FileSystem.rename(path, to: databasePath)
        try FileSystem.syncFolder(configuration.stateDirectory)
        store = try StandbyStore(path: databasePath)
    }

    private func take(_ change: StandbyChange, over connection: ClientConnection) throws {
        try store!.apply(change.changeset)
        for digest in change.references {
            if let blob = try store!.blob(digest) { try fetch(blob, over: connection) }
        }
        for digest in change.gone where try store!.blob(digest) == nil { try blobs.remove(digest.bytes) }
    }

    /// One that the coordinator itself has not, or not as it was, is not waited for: a later change, which is on its
    /// way, needs it no more, or it is damaged there, and whoever waited would keep both from finding that out.
    private func fetch(_ blob: BlobReference, over connection: ClientConnection) throws {
        guard blobs.byteCount(of: blob.digest.bytes) == nil else { return }
        try look(isConnected: true)
        do {
            let offset = try blobs.offer(blob.digest.bytes, byteCount: blob.byteCount)
            try connection.fetch(blob, from: offset) { offset, bytes in
                _ = try blobs.append(blob.digest.bytes, offset: offset, bytes: bytes)
            }
        } catch ClientError.refused(let refusal) where refusal.code == .unknown {
            return
        } catch let error as BlobError {
            configuration.log.problem("the coordinator at \(configuration.address) has not what it had: \(error)")
        }
    }

    // MARK: - Taking over

    private func becomeCoordinators() throws {
        if store == nil { store = try StandbyStore(path: databasePath) }
        try store!.forgetExternalPaths()
        let lacking = try store!.blobs().filter { blobs.byteCount(of: $0.digest.bytes) == nil }.count
        if lacking > 0 {
            configuration.log.problem(
                "\(lacking) blobs did not come before the other coordinator went: what they held is made again, or its "
                    + "run says what is missing")
        }
        try StandbyFolder.promote(configuration.stateDirectory)
        configuration.log("takes over from the coordinator at \(configuration.address)")
    }
}
