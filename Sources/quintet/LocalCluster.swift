import Coordinator
import Foundation
import Platform
import Protocol
import Recipes
import Worker

/// A coordinator inside this process with workers of its own, in this process or as processes: the same code, messages
/// and database as on fifty machines. Loopback is open to every user of the machine, so this cluster has a token, too:
/// made for it alone, gone when it ends.
final class LocalCluster {
    let address: NetworkAddress
    let security: ConnectionSecurity
    private let token = ClusterToken.generate()
    private let server: CoordinatorServer
    private let serverThread: BackgroundRun
    private let stateFolder: String
    private let threadCount: Int
    private let log: Log
    private var daemon: (daemon: WorkerDaemon, thread: BackgroundRun)?
    private var processes: [ChildProcess] = []

    /// - Parameters:
    ///   - threadCount: of each worker.
    init(
        stateFolder: String, leaseSeconds: Double, threadCount: Int, log: Log
    ) throws {
        self.stateFolder = stateFolder
        self.threadCount = threadCount
        self.log = log
        security = .preSharedKeys([token])
        let server = try CoordinatorServer(configuration: CoordinatorConfiguration(
            stateDirectory: stateFolder, security: security, leaseSeconds: leaseSeconds,
            heartbeatSeconds: leaseSeconds / 6, build: Version.build, log: log))
        self.server = server
        address = NetworkAddress(host: "127.0.0.1", port: server.port)
        serverThread = BackgroundRun { try server.run() }
        // The folder is ours alone from here on: what lies there is of one that was killed.
        try FileSystem.remove(tokenFile)
    }

    /// Where processes of ours find the token, in the state's folder, which only its owner can look into: an argument
    /// would show in the list of processes.
    private var tokenFile: String { "\(stateFolder)/token" }

    /// A client of this cluster.
    func client() throws -> CoordinatorClient {
        try CoordinatorClient(
            address: address, security: security, build: Version.build,
            waiting: CoordinatorClient.Waiting(
                isStopped: { StopSignal.isRequested }, log: { [log] in log.problem($0) }))
    }

    /// A file that the coordinator serves from where it lies.
    func register(_ path: String, role: String, name: String) throws -> BlobReference {
        let blob = BlobReference(
            role: role, name: name, digest: ContentDigest(bytes: try SHA256.digest(ofFile: path)),
            byteCount: try FileSystem.byteCount(of: path))
        try register(path, as: blob)
        return blob
    }

    /// A file whose digest is known.
    func register(_ path: String, as blob: BlobReference) throws {
        try server.registerExternalBlob(
            path: FileSystem.absolutePath(path), digest: blob.digest, byteCount: blob.byteCount)
    }

    /// - Parameter recipes: what it can compute, by name.
    func startWorker(_ recipes: [String: any Recipe]) throws {
        let daemon = WorkerDaemon(
            configuration: WorkerConfiguration(
                host: address.host, port: address.port, security: security, threadCount: threadCount,
                memoryByteCount: Machine.usableMemoryByteCount, cacheDirectory: "\(stateFolder)/cache",
                name: try ProcessName.make(nil), build: Version.build, log: log),
            recipes: recipes)
        self.daemon = (daemon, BackgroundRun { try daemon.run() })
    }

    func startWorkerProcess() throws {
        if !FileSystem.exists(tokenFile) { try token.save(to: tokenFile) }
        let process = try ChildProcess(
            arguments: [
                "worker", "--coordinator", "\(address)", "--token-file", tokenFile, "--threads", "\(threadCount)",
                "--cache", "\(stateFolder)/cache", "--quiet",
            ])
        processes.append(process)
        let processID = process.processID, tokenFile = tokenFile
        PromptEnd.beforehand {
            ChildProcess.kill(processID)
            try? FileSystem.remove(tokenFile)
        }
    }

    /// - Parameter worker: a worker's name, which holds its process number.
    /// - Returns: whether it is one of ours and was alive.
    func killWorkerProcess(named worker: String) -> Bool {
        let index = processes.firstIndex { ProcessName.isName(worker, ofProcess: $0.processID) }
        guard let index else { return false }
        processes[index].signal(SIGKILL)
        _ = processes[index].wait()
        processes.remove(at: index)
        return true
    }

    /// - Throws: what ended the coordinator or the worker inside this process, if anything has.
    func check() throws {
        if let error = serverThread.failure ?? daemon?.thread.failure { throw error }
    }

    /// Workers hand their work back, then the coordinator leaves; everything acknowledged is on disk.
    /// - Parameter isFinished: nothing is left to go on with, so what the workers had fetched may go.
    func close(isFinished: Bool) {
        processes.forEach { $0.signal(SIGTERM) }
        daemon?.daemon.requestDrain()
        daemon?.thread.join()
        for process in processes { _ = process.wait() }
        try? FileSystem.remove(tokenFile)
        server.requestStop()
        serverThread.join()
        if isFinished { try? FileSystem.removeTree("\(stateFolder)/cache") }
    }
}

/// A blocking call on a thread of its own, and how it ended.
final class BackgroundRun: @unchecked Sendable {
    // Unchecked: the state below is only touched under `condition`.
    private let condition = NSCondition()
    private var isDone = false
    private var error: Error?

    init(_ body: @escaping @Sendable () throws -> Void) {
        let thread = Thread { [self] in
            let result = Result { try body() }
            condition.lock()
            if case .failure(let error) = result { self.error = error }
            isDone = true
            condition.broadcast()
            condition.unlock()
        }
        // The main thread's size: recipes are written for it.
        thread.stackSize = 8 << 20
        thread.start()
    }

    var failure: Error? {
        condition.lock()
        defer { condition.unlock() }
        return error
    }

    func join() {
        condition.lock()
        while !isDone { condition.wait() }
        condition.unlock()
    }
}
