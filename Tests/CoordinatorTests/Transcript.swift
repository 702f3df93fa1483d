import Coordinator
import Foundation
import Protocol
import Testing
import TestSupport

/// A made-up blob, named after what it stands for.
func blob(_ role: String, _ name: String) -> BlobReference {
    var bytes = Array("\(role) \(name)".utf8.prefix(32))
    bytes += [UInt8](repeating: 0, count: 32 - bytes.count)
    return BlobReference(role: role, name: name, digest: ContentDigest(bytes: bytes), byteCount: 100)
}

func trainRequest(
    key: String, replicas: Int, iterations: UInt32 = 100, memoryByteCount: UInt64 = 0
) -> RunRequest {
    RunRequest(
        plan: .training(Int(iterations)), recipe: "test", parameters: "{}", seed: 7, replicaCount: replicas,
        checkpointSeconds: 60, inputs: [blob("volume", "data")], items: [], idempotencyKey: key,
        memoryByteCount: memoryByteCount)
}

func segmentRequest(key: String, voters: Int, volumes: [String]) -> RunRequest {
    RunRequest(
        plan: .segmenting, recipe: "test", parameters: "{}", seed: 7, replicaCount: voters,
        checkpointSeconds: 60, inputs: (0..<voters).map { blob("replica", "replica-\($0)") },
        items: volumes.map { ItemSubmission(name: $0, inputs: [blob("ct", $0)]) }, idempotencyKey: key)
}

let testFacts = WorkerFacts(build: "test", device: "cpu", threadCount: 2)

/// A scheduler driven by lines of text. Each line of a transcript that starts with a time is an event:
///
///     12000 heartbeat a 1.1@40        at 12 s worker a says that it is at iteration 40 of work 1 under epoch 1
///
/// and the indented lines after it are the actions it must lead to, all of them, in order.
struct TranscriptPlayer {
    var scheduler: Scheduler
    let configuration: Scheduler.Configuration
    /// Has the changes of each event, and is what a restarted coordinator finds.
    let store: Store

    init(store: Store) {
        configuration = Scheduler.Configuration(leaseMilliseconds: 30_000)
        scheduler = Scheduler(configuration: configuration)
        self.store = store
    }

    mutating func play(_ line: String) throws -> [SchedulerAction] {
        let words = line.split(separator: " ").map(String.init)
        guard let now = Int64(words[0]) else { throw TranscriptError(line: line) }
        var actions: [SchedulerAction]
        if words[1] == "restart" {
            scheduler = Scheduler(configuration: configuration, recovering: try store.recovery(), at: now)
            actions = scheduler.resume()
        } else {
            let event = try event(Array(words.dropFirst()), line)
            if case .submit(let request) = event,
                let run = scheduler.archivedRun(submittedAs: request.idempotencyKey)
            {
                _ = scheduler.apply(.revive(try #require(try store.recover(run))), at: now)
            }
            actions = scheduler.apply(event, at: now)
        }
        let changes = actions.compactMap { if case .persist(let change) = $0 { change } else { nil } }
        _ = try store.commit(changes, wallMilliseconds: 0)
        return actions
    }

    private func event(_ words: [String], _ line: String) throws -> SchedulerEvent {
        func number(_ key: String) -> Int? {
            words.first { $0.hasPrefix(key + "=") }.flatMap { Int($0.dropFirst(key.count + 1)) }
        }
        func lease(_ text: String) throws -> Lease {
            let parts = text.split(separator: ".").compactMap { UInt64($0) }
            guard parts.count == 2 else { throw TranscriptError(line: line) }
            return Lease(work: WorkID(parts[0]), epoch: parts[1])
        }
        func rest(_ from: Int) -> String { words.dropFirst(from).joined(separator: " ") }
        switch words[0] {
        case "submit" where words[2] == "train":
            var request = trainRequest(
                key: words[1], replicas: number("replicas") ?? 2, memoryByteCount: UInt64(number("memory") ?? 0))
            request.verifyShare = Double(number("verify") ?? 0) / 100
            return .submit(request)
        case "submit":
            let list = words.first { $0.hasPrefix("volumes=") }?.dropFirst(8) ?? ""
            let names = list.split(separator: ",").map(String.init)
            var request = segmentRequest(key: words[1], voters: number("voters") ?? 3, volumes: names)
            request.verifyShare = Double(number("verify") ?? 0) / 100
            return .submit(request)
        case "cancel": return .cancel(RunID(UInt64(words[1])!))
        case "pause": return .pause(RunID(UInt64(words[1])!))
        case "resume": return .resume(RunID(UInt64(words[1])!))
        case "forget": return .forget(RunID(UInt64(words[1])!))
        case "priority": return .prioritise(RunID(UInt64(words[1])!), Int32(words[2])!)
        case "leave": return .drain(words[1])
        case "readmit": return .readmit(words[1])
        case "connect":
            var facts = testFacts
            facts.memoryByteCount = UInt64(number("memory") ?? 0)
            facts.arithmetic = words.first { $0.hasPrefix("arithmetic=") }.map { blob("proof", $0).digest }
            let held = words.dropFirst(2).filter { !$0.contains("=") }
            return .workerConnected(words[1], facts, held: try held.map(lease))
        case "disconnect": return .workerDisconnected(words[1])
        case "idle": return .idle(words[1])
        case "heartbeat":
            return .heartbeat(
                words[1],
                try words.dropFirst(2).map { word in
                    let parts = word.split(separator: "@").map(String.init)
                    let iteration = parts.count > 1 ? UInt32(parts[1])! : 0
                    return LeaseProgress(
                        lease: try lease(parts[0]), fraction: Double(iteration) / 100, iteration: iteration, note: "")
                })
        case "checkpoint":
            let parts = words[2].split(separator: "@").map(String.init)
            let iteration = UInt32(parts[1])!
            let name = words.contains("wrong") ? "wrong-\(words[2])" : words[2]
            let checkpoint = Checkpoint(iteration: iteration, blob: blob("checkpoint", name))
            let metric = IterationFigures(iteration: iteration, ["loss": 0.5, "dice": 0.5, "seconds": 1])
            return .checkpointSaved(words[1], try lease(parts[0]), checkpoint, [metric])
        case "done":
            var result = result(of: try lease(words[2]), by: words[1], voteCount: number("votes"))
            // Of a check: "checkpoint=1.1@20".
            if let name = words.first(where: { $0.hasPrefix("checkpoint=") })?.dropFirst(11) {
                result.outputs = [blob("checkpoint", String(name))]
            }
            if words.contains("wrong") {
                for index in result.outputs.indices {
                    result.outputs[index] = blob(result.outputs[index].role, "wrong-\(result.outputs[index].name)")
                }
            }
            return .finished(words[1], result)
        case "drain": return .surrendered(words[1], try lease(words[2]), .drained, "")
        case "fail": return .surrendered(words[1], try lease(words[2]), .failed, rest(3))
        case "refuse": return .surrendered(words[1], try lease(words[2]), .inputRefused, rest(3))
        case "voted": return .voted(WorkID(UInt64(words[1])!), blob("voted", "by-\(words[1])"))
        case "votefail": return .voteFailed(WorkID(UInt64(words[1])!), rest(2))
        case "damaged":
            let parts = words[1].split(separator: "@").map(String.init)
            let work = WorkID(UInt64(parts[0])!)
            let checkpoint = scheduler.works[work]?.checkpoints.first { $0.iteration == UInt32(parts[1])! }
            // A vote goes by its name.
            let digest = checkpoint?.blob.digest ?? blob("voted", parts[1]).digest
            return .inputDamaged(work, digest, unsent: nil)
        case "verified": return .verified(WorkID(UInt64(words[1])!))
        case "away": return .wasAway
        case "tick": return .tick
        default: throw TranscriptError(line: line)
        }
    }

    /// What a worker makes of a piece of work; the same whoever does it.
    /// - Parameter voteCount: another number of ballots than was asked for.
    func result(of lease: Lease, by worker: WorkerName, voteCount: Int? = nil) -> WorkResult {
        let id = scheduler.checks.check(under: lease)?.work ?? lease.work, work = scheduler.works[id]
        let outputs: [BlobReference]
        switch work.map({ scheduler.step(of: $0).label }) {
        case "train": outputs = [blob("replica", "weights-\(id.value)")]
        case "predict":
            let voters = scheduler.runs[work!.run]!.request.replicaCount
            outputs = (0..<(voteCount ?? voters)).map { blob("votes", "votes-\(id.value)-\($0)") }
        case "finish": outputs = [blob("mask", "mask-\(id.value)")]
        default: outputs = []
        }
        return WorkResult(lease: lease, outputs: outputs, reportJSON: "{\"work\":\(lease.work.value)}", metrics: [])
    }
}

struct TranscriptError: Error, CustomStringConvertible {
    var line: String
    var description: String { "this line of a transcript cannot be read: \(line)" }
}

/// The transcripts beside this file.
enum TranscriptFiles {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Transcripts")

    static var names: [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }
}
