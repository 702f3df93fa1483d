import Coordinator
import Platform
import Protocol
import Recipes

/// `--tensorboard DIR`: a training's figures as event files, a folder for each replica, as they come. A command that
/// goes on with the training goes on with its files: each iteration stands there once.
final class TensorBoardFolder {
    private let path: String
    private let plan: TrainingPlan
    private let fileName: String
    /// By folder: the first iteration that the file lacks.
    private var next: [String: Int] = [:]
    private var lookedMilliseconds: UInt64?

    private static let lookMilliseconds: UInt64 = 5_000
    /// Of ten million iterations.
    private static let byteCountMax = 2 << 30

    /// Reads what is there; writes nothing.
    /// - Throws: `CommandError` where the folder has another training's curves.
    init(_ path: String, _ plan: TrainingPlan) throws {
        (self.path, self.plan) = (path, plan)
        let identity = SHA256.hexadecimal(of: Array(JSONText.encode(plan.figuresIdentity).utf8))
        fileName = "events.out.tfevents.\(identity.prefix(16)).quintet"
        for (_, _, name) in series where FileSystem.isFolder("\(path)/\(name)") {
            let others = try FileSystem.list("\(path)/\(name)").filter { $0.contains("tfevents") && $0 != fileName }
            if let other = others.first {
                throw CommandError("\(path)/\(name)/\(other) has the curves of another training, which would be mixed "
                    + "with these; name another folder for --tensorboard")
            }
        }
    }

    /// Every session of the plan, and its folder.
    private var series: [(step: String, replica: Int, name: String)] {
        plan.settings.trainingPlan.sessions.flatMap { step in
            let stem = plan.recipe.trainingGuide.weights.first { $0.step == step }?.stem ?? step
            return (0..<plan.replicaCount).map { (step, $0, "\(stem)-\($0)") }
        }
    }

    /// Adds what has come since the last time, not oftener than every five seconds.
    func look(at run: RunID, over session: ClusterSession) throws {
        let now = MonotonicClock.nowMilliseconds()
        if let lookedMilliseconds, now < lookedMilliseconds + Self.lookMilliseconds { return }
        lookedMilliseconds = now
        try write(run, over: session)
    }

    /// Adds what is not there yet of what the coordinator has.
    func write(_ run: RunID, over session: ClusterSession) throws {
        for (step, replica, name) in series {
            let first = try firstMissing(name)
            let figures = try session.client.figures(of: run, step: step, replica: replica, firstIteration: first)
            try add(figures.map { (Int($0.iteration), $0.values) }, to: name)
        }
    }

    /// Adds what is not there yet of a run's metrics.csv.
    func write(_ metrics: [RunReport.Metric]) throws {
        let columns = plan.recipe.trainingGuide.figures.map(\.name) + ["seconds"]
        for (step, replica, name) in series {
            let own = metrics.filter { $0.step == step && $0.replica == replica }
            guard !own.isEmpty else { continue }
            try add(own.map { metric in
                (metric.iteration, Dictionary(uniqueKeysWithValues: columns.map { ($0, metric[$0]) }))
            }, to: name)
        }
    }

    private func add(_ figures: [(iteration: Int, values: [String: Double])], to name: String) throws {
        let first = try firstMissing(name), new = figures.filter { $0.iteration >= first }
        guard let last = new.last else { return }
        let wallSeconds = WallClock.nowSeconds()
        let bytes = new.flatMap { iteration, values in
            var points = values.sorted { $0.key < $1.key }.map { (tag: $0.key, value: $0.value) }
            if let rate = plan.settings.learningRate { points.append(("learning_rate", rate)) }
            return EventFile.scalars(points, step: iteration, wallSeconds: wallSeconds)
        }
        try FileSystem.append(bytes, to: file(name))
        next[name] = last.iteration + 1
    }

    private func file(_ name: String) -> String { "\(path)/\(name)/\(fileName)" }

    /// The first iteration that the file lacks, which is made, or cut to its whole records, before it is added to.
    private func firstMissing(_ name: String) throws -> Int {
        if let known = next[name] { return known }
        let file = file(name), head = EventFile.head(wallSeconds: WallClock.nowSeconds())
        var first = 0
        if FileSystem.exists(file) {
            let bytes = try FileSystem.read(file, byteCountMax: Self.byteCountMax)
            let (byteCount, lastStep) = EventFile.whole(bytes)
            if byteCount < bytes.count || bytes.isEmpty {
                try AtomicFile.write(byteCount == 0 ? head : Array(bytes.prefix(byteCount)), to: file)
            }
            first = lastStep.map { $0 + 1 } ?? 0
        } else {
            try FileSystem.makeFolder("\(path)/\(name)")
            try AtomicFile.write(head, to: file)
        }
        next[name] = first
        return first
    }
}

extension TrainingPlan {
    /// By what curves belong together: the request, but for how long it goes on, where that can be changed.
    fileprivate var figuresIdentity: TrainingRequest {
        var settings = settings.asked
        if let longest = try? settings.extended(to: 100_000_000, run: run) { settings = longest }
        return TrainingRequest(
            recipe: recipe.name, seed: seed, replicaCount: replicaCount, settings: settings,
            dataSetDigest: data.digest)
    }
}
