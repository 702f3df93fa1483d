import Numerics
import Protocol
import Recipes

/// One piece of work on the compute thread, from its verified inputs to its result.
struct WorkExecution {
    let order: ComputeOrder
    let recipe: any Recipe
    let pool: ThreadPool
    let environment: ComputeEnvironment
    let control: ComputeControl
    let report: @Sendable (ComputeReport) -> Void

    private var lease: Lease { order.assignment.lease }
    private var description: WorkDescription { order.assignment.description }

    func run() -> ComputeEnd {
        let start = environment.nowNanoseconds(), end = perform()
        guard case .done(let result, _) = end else { return end }
        return .done(result, seconds: Double(environment.nowNanoseconds() - start) * 1e-9)
    }

    private func perform() -> ComputeEnd {
        do {
            let damaged = damagedInputs()
            guard damaged.isEmpty else { return .inputsDamaged(damaged) }
            if description.kind == .session { return try train() }
            return try end(recipe.perform(step, inputs: order.inputs, resources: resources))
        } catch RecipeError.inputRefused(let message) {
            return .inputRefused(message)
        } catch RecipeError.interrupted {
            return interrupted()
        } catch RecipeError.unknownStep(let label) {
            return .failed("this worker's recipe \(description.recipe) has no step '\(label)': update it")
        } catch {
            return .failed("\(description.step) of \(description.recipe): \(error)")
        }
    }

    private var step: RecipeStep { RecipeStep(description) }

    // MARK: Sessions

    private func train() throws -> ComputeEnd {
        let session = try recipe.makeSession(
            step, inputs: order.inputs, resume: order.resumePath, resources: resources)
        control.beginKeepingResults()
        var last: TrainingStep?
        var seconds = 0.0, waitingSeconds = 0.0
        let until = order.assignment.checkedUntil.map { min(Int($0), session.iterationCount) } ?? session.iterationCount
        while session.iteration < until {
            if control.isCancelled { return .cancelled }
            if control.isStopped { return try stop(session) }
            let start = environment.nowNanoseconds()
            do {
                let step = try session.step()
                let stepSeconds = Double(environment.nowNanoseconds() - start) * 1e-9
                note(step, of: session, seconds: stepSeconds)
                seconds += stepSeconds
                waitingSeconds += step.waitingSeconds
                last = step
            } catch RecipeError.interrupted where control.isStopped && !control.isCancelled {
                return try stop(session)
            }
            // Behind the last iteration the result follows at once.
            if session.iteration < until, control.takeCheckpointRequest() {
                report(.checkpointTaken(lease, iteration: session.iteration, bytes: try session.checkpoint()))
            }
        }
        guard until == session.iterationCount else {
            let state = RecipeOutput(role: "state", name: "checkpoint", bytes: try session.checkpoint())
            return end(RecipeResult(outputs: [state], reportJSON: "{}"))
        }
        return try finish(session, last, seconds: seconds, waitingSeconds: waitingSeconds)
    }

    /// Whatever was trained here goes on elsewhere.
    private func stop(_ session: any TrainingSession) throws -> ComputeEnd {
        // Of a check nothing goes on elsewhere.
        guard session.iteration > Int(order.assignment.resume?.iteration ?? 0), order.assignment.checkedUntil == nil
        else { return .stoppedWithNothing }
        return .stopped(iteration: session.iteration, bytes: try session.checkpoint())
    }

    /// - Parameters:
    ///   - seconds: of the steps under this lease.
    ///   - waitingSeconds: what of it passed waiting for samples.
    private func finish(
        _ session: any TrainingSession, _ last: TrainingStep?, seconds: Double, waitingSeconds: Double
    ) throws -> ComputeEnd {
        let weights = RecipeOutput(
            role: "replica", name: "replica-\(description.replica)", bytes: try session.weights())
        let state = RecipeOutput(role: "state", name: weights.name, bytes: try session.checkpoint())
        let figures = (last?.figures ?? [:]).sorted { $0.key < $1.key }
            .map { ",\"\($0.key)\":\($0.value.jsonNumber)" }.joined()
        let times = ",\"seconds\":\(seconds.jsonNumber),\"waitingSeconds\":\(waitingSeconds.jsonNumber)"
        return end(RecipeResult(
            outputs: [weights, state], reportJSON: "{\"iterations\":\(session.iteration)\(figures)\(times)}"))
    }

    private func note(_ step: TrainingStep, of session: any TrainingSession, seconds: Double) {
        let figures = IterationFigures(
            iteration: UInt32(step.iteration), step.figures.merging(["seconds": seconds]) { own, _ in own })
        let note = step.figures.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value.threeDecimals)" }
        let progress = LeaseProgress(
            lease: lease, fraction: Double(step.iteration) / Double(max(session.iterationCount, 1)),
            iteration: figures.iteration, note: note.joined(separator: ", "))
        report(.progressed(progress, [figures]))
    }

    // MARK: What all steps share

    private var resources: RecipeResources {
        let (lease, control, report) = (lease, control, report)
        let iteration = order.assignment.resume?.iteration ?? 0
        let note = description.kind == .session ? "preparing" : ""
        return RecipeResources(
            pool: pool, cacheDirectory: environment.cacheDirectory, isCancelled: { control.isInterrupted },
            reportProgress: { fraction in
                let progress = LeaseProgress(
                    lease: lease, fraction: min(max(fraction, 0), 1), iteration: iteration, note: note)
                report(.progressed(progress, []))
            },
            nowNanoseconds: environment.nowNanoseconds, log: environment.log)
    }

    /// A cache is a disk. A checkpoint that is gone on from is read again every time: a training of days would carry
    /// its fault to the end. The other inputs once in a process, and again when their file was changed.
    private func damagedInputs() -> [ContentDigest] {
        let checkpoints = (order.assignment.resume.map { [$0.blob.digest] } ?? [])
            + description.inputs.filter { $0.role == "state" }.map(\.digest)
        return Set(order.assignment.blobs.map(\.digest)).filter { digest in
            !control.isInterrupted && !environment.isIntact(digest, checkpoints.contains(digest))
        }.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    private func interrupted() -> ComputeEnd {
        if control.isCancelled { return .cancelled }
        return control.isStopped
            ? .stoppedWithNothing : .failed("the recipe \(description.recipe) stopped without being asked to")
    }

    /// What no message could carry is the recipe's fault, and said here.
    private func end(_ result: RecipeResult) -> ComputeEnd {
        if control.isCancelled { return .cancelled }
        guard result.outputs.count <= Limits.outputsMax else {
            return .failed("\(result.outputs.count) outputs; at most \(Limits.outputsMax) are possible")
        }
        guard result.reportJSON.utf8.count <= Limits.reportBytesMax else {
            return .failed("a report of \(result.reportJSON.utf8.count) bytes; "
                + "at most \(Limits.reportBytesMax) are possible")
        }
        for output in result.outputs {
            guard output.role.utf8.count <= Limits.roleBytesMax, output.name.utf8.count <= Limits.nameBytesMax else {
                return .failed("the output \(output.role) \(output.name) has too long a name")
            }
        }
        return .done(result, seconds: 0)
    }
}

extension RecipeStep {
    init(_ description: WorkDescription) {
        self.init(
            label: description.step, parameters: description.parameters, seed: description.seed,
            replica: Int(description.replica))
    }
}

extension Double {
    /// As JSON: null for what JSON has no number for.
    fileprivate var jsonNumber: String { isFinite ? "\(self)" : "null" }

    fileprivate var threeDecimals: String {
        guard abs(self) < 1e9 else { return "\(self)" }
        let thousandths = Int((abs(self) * 1_000).rounded())
        let decimals = String(1_000 + thousandths % 1_000).dropFirst()
        return (self < 0 && thousandths > 0 ? "-" : "") + "\(thousandths / 1_000).\(decimals)"
    }
}
