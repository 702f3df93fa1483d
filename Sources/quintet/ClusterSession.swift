import Coordinator
import Foundation
import Numerics
import Platform
import Protocol
import Recipes

/// A coordinator to submit to: the user's, or one of our own for as long as the command runs.
final class ClusterSession {
    let client: CoordinatorClient
    private let local: LocalCluster?
    /// The last run that was waited for has ended.
    private var isFinished = false
    /// The run that was submitted last.
    private var submitted: RunID?
    /// By what the runs that were submitted are known again: a coordinator whose state was lost counts from 1 anew.
    private var keys: [RunID: String] = [:]
    /// `--label`
    private let label: String?
    /// Machines got different bytes for some of the run that was waited for, and nobody could decide: a failure, though
    /// its files are there.
    private(set) var isDisputed = false
    /// `--verify`
    private let verifyShare: Double

    /// From the command line: `--coordinator` or an own one.
    convenience init(_ arguments: Arguments, stateFolder: String, progress: ProgressLine) throws {
        do {
            try self.init(connecting: arguments, stateFolder: stateFolder, progress: progress)
        } catch ClientError.interrupted {
            throw RecipeError.interrupted
        }
    }

    private init(connecting arguments: Arguments, stateFolder: String, progress: ProgressLine) throws {
        label = arguments.text("--label")
        let share = try arguments.number("--verify", 0...1) ?? 0
        if arguments.text("--coordinator") != nil {
            local = nil
            verifyShare = share
            if let destination = ClusterOptions.destination(arguments) { progress.say(destination) }
            client = try ClientAccess.client(arguments, log: { progress.warn($0) })
        } else {
            let cluster = try LocalCluster(
                stateFolder: stateFolder, leaseSeconds: 30, threadCount: Threads.count(arguments),
                log: progress.log)
            local = cluster
            verifyShare = 0
            if share > 0 { progress.warn("--verify needs other machines: without --coordinator nothing is checked") }
            client = try cluster.client()
            try cluster.startWorker(arguments.choice.registry.recipes)
        }
    }

    /// An own coordinator with worker processes of one thread each: the demo's.
    init(ownStateFolder: String, leaseSeconds: Double, workerProcesses: Int, progress: ProgressLine) throws {
        let cluster = try LocalCluster(
            stateFolder: ownStateFolder, leaseSeconds: leaseSeconds, threadCount: 1, log: progress.log)
        local = cluster
        label = nil
        verifyShare = 0
        client = try cluster.client()
        for _ in 0..<workerProcesses { try cluster.startWorkerProcess() }
    }

    // MARK: - Blobs

    /// Makes a file known to the coordinator: served in place by an own one, uploaded to another.
    func publish(role: String, name: String, path: String) throws -> BlobReference {
        try local?.register(path, role: role, name: name) ?? client.upload(path: path, role: role, name: name)
    }

    /// A file whose content is known; it may be the bytes of several files as one.
    func publish(_ blob: BlobReference, path: String, joined: [UInt8]?) throws {
        if let joined {
            _ = try client.upload(bytes: joined, role: blob.role, name: blob.name)
        } else if let local {
            try local.register(path, as: blob)
        } else {
            try client.upload(path: path, as: blob)
        }
    }

    func publish(bytes: [UInt8], role: String, name: String) throws -> BlobReference {
        try client.upload(bytes: bytes, role: role, name: name)
    }

    func publish(
        _ files: [(role: String, name: String, path: String)], progress: ProgressLine
    ) throws -> [BlobReference] {
        let pace = Pace()
        return try files.enumerated().map { number, file in
            let left = pace.secondsLeft(fraction: Double(number) / Double(files.count))
            progress.show("\(local == nil ? "uploading" : "reading") \(file.name), \(number + 1) of \(files.count)"
                + (left.map { ", \(Console.duration(seconds: $0)) left" } ?? ""))
            try StopWatch.check()
            return try publish(role: file.role, name: file.name, path: file.path)
        }
    }

    /// Into a file whose folder is made where it is missing.
    func download(_ blob: BlobReference, to path: String) throws {
        try FileSystem.makeFolder(FileSystem.folder(of: path))
        try client.download(blob, to: path)
    }

    // MARK: - Waiting

    /// How long a line of progress stays; what happens to the run is heard of at once.
    private static let progressSeconds = 1.0
    /// Where something happens all the time.
    private static let leastMilliseconds: UInt64 = 200

    /// Shows progress until the run has ended.
    /// - Parameters:
    ///   - whileWaiting: is given every status of a run that goes on.
    ///   - onChange: called when there may be more to read of it; the first time, too.
    /// - Throws: `RecipeError.interrupted` on Ctrl-C or SIGTERM; see `tellingInterruption`.
    func wait(
        for run: RunID, progress: ProgressLine, whileWaiting: (StatusReport.Run) throws -> Void = { _ in },
        onChange: () throws -> Void = {}
    ) throws -> StatusReport.Run {
        var hasChanged = true
        while true {
            let began = MonotonicClock.nowMilliseconds()
            try StopWatch.check()
            try local?.check()
            let status = try standing(of: run)
            isFinished = status.state != "running"
            // A replica that nobody can train will not be trained by waiting for the others.
            if status.kind == "train", let refusal = status.refusals?.first {
                throw CommandError("\(refusal.name) could not be trained: \(refusal.reason)")
            }
            guard !isFinished else {
                if status.state == "cancelled" { throw CommandError("\(run) was cancelled") }
                tellChecks(status, progress)
                return status
            }
            progress.show(StatusText.line(status))
            try whileWaiting(status)
            if hasChanged { try onChange() }
            hasChanged = try client.waitForChange(of: run, seconds: Self.progressSeconds)
            let spent = MonotonicClock.nowMilliseconds() - began
            if spent < Self.leastMilliseconds { StopWatch.sleep(milliseconds: Int(Self.leastMilliseconds - spent)) }
        }
    }

    /// What changes behind it ends the wait for a change.
    /// Who has asked for checks must not take it for granted that there were any.
    private func tellChecks(_ run: StatusReport.Run, _ progress: ProgressLine) {
        guard verifyShare > 0 else { return }
        guard let checks = run.checks else {
            return progress.warn("nothing was compared: run \(run.id) was submitted before without --verify")
        }
        progress.say("compared \(checks.done) pieces of work with what another machine makes of them")
        isDisputed = checks.disputed > 0
        guard checks.missed > 0 else { return }
        progress.warn("warning: \(checks.missed) pieces of work could not be compared"
            + (checks.disputed > 0
                ? ", and of \(checks.disputed) two machines got different bytes: do not trust this run's results" : "")
            + "; quintet status --history says why")
    }

    /// - Throws: `CommandError` where it was there and is not any more.
    func standing(of run: RunID) throws -> StatusReport.Run {
        do {
            try client.watch(run)
            if let status = try client.status(of: run).runs.first(where: { $0.id == run.value }) {
                guard status.idempotencyKey == keys[run, default: status.idempotencyKey] else {
                    throw CommandError("\(run) is another one now: the coordinator has lost its state, or it is "
                        + "another coordinator; give the same command again")
                }
                return status
            }
        } catch ClientError.refused(let refusal) where refusal.code == .unknown {
            // Said below, in words of somebody who has submitted it.
        }
        throw CommandError("\(run) is not there any more: it was cancelled or forgotten")
    }

    /// - Throws: for every way in which a stop was asked for, `Interrupted`, which says what becomes of the run.
    func tellingInterruption<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch RecipeError.interrupted {
            throw interruption
        } catch ClientError.interrupted {
            throw interruption
        }
    }

    private var interruption: Interrupted {
        guard local == nil, let submitted else {
            return Interrupted("interrupted; the same command goes on where it stopped")
        }
        let goesOn = client.isConnected ? "goes on" : "goes on once the coordinator is back"
        return Interrupted("interrupted; \(submitted) \(goesOn): watch it with `quintet watch --run \(submitted.value) "
            + "--coordinator \(client.address)`, end it with `quintet cancel \(submitted.value) --coordinator "
            + "\(client.address)`; the same command waits for it again")
    }

    /// Submits a run, and says which one it is where it goes on without this command.
    /// - Parameter folder: what the run is called after, where nobody has said otherwise.
    func submit(_ submission: Submission, folder: String, progress: ProgressLine) throws -> RunID {
        var submission = submission
        let name = label ?? Archive.fileName((try? FileSystem.absolutePath(folder)) ?? folder)
        submission.label = name.printable(most: .max).cut(toBytes: Limits.runLabelBytesMax)
        submission.verifyShare = verifyShare
        submission.submitter = Machine.userAtHost.printable(most: .max).cut(toBytes: Limits.submitterBytesMax)
        let run = try client.submit(submission)
        submitted = run
        keys[run] = submission.idempotencyKey
        if local == nil {
            progress.say("\(run) at \(client.address); it goes on when this command ends, and the same command waits "
                + "for it again")
        }
        return run
    }

    /// A run that an earlier command has submitted.
    func adopt(_ run: RunID, key: String) {
        submitted = run
        keys[run] = key
    }

    /// What ended the coordinator in this process, if anything has.
    func check() throws { try local?.check() }

    var isVerifying: Bool { verifyShare > 0 }

    // MARK: - Workers

    func startWorkerProcess() throws { try local?.startWorkerProcess() }

    func killWorkerProcess(named worker: String) -> Bool { local?.killWorkerProcess(named: worker) ?? false }

    func close() { local?.close(isFinished: isFinished) }
}
