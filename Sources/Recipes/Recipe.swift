import Numerics

/// A verified local file that a piece of work reads.
public struct RecipeInput: Sendable {
    /// What it is for: "volume", "lung", "replica", "votes", ... (each recipe documents its own).
    public var role: String
    /// The name its owner gave it (a file name for messages; never used as a path).
    public var name: String
    public var path: String

    public init(role: String, name: String, path: String) {
        self.role = role
        self.name = name
        self.path = path
    }
}

/// One result of a piece of work, to be stored as a blob.
public struct RecipeOutput: Sendable {
    public var role: String
    public var name: String
    public var bytes: [UInt8]

    public init(role: String, name: String, bytes: [UInt8]) {
        self.role = role
        self.name = name
        self.bytes = bytes
    }
}

/// What a piece of work has made: blobs, and figures about them.
public struct RecipeResult: Sendable {
    public var outputs: [RecipeOutput]
    /// Figures for the report, one JSON object.
    public var reportJSON: String

    public init(outputs: [RecipeOutput], reportJSON: String) {
        self.outputs = outputs
        self.reportJSON = reportJSON
    }
}

/// What a worker lends to a piece of work.
public struct RecipeResources: Sendable {
    public var pool: ThreadPool
    /// A folder that may be used as a cache between pieces of work (prepared volumes); anything in it may vanish.
    public var cacheDirectory: String
    /// Asked often; when true the work throws `RecipeError.interrupted` soon.
    public var isCancelled: @Sendable () -> Bool
    /// Share done, 0 to 1, for progress lines.
    public var reportProgress: @Sendable (Double) -> Void
    /// A clock that never runs backwards, in nanoseconds. For figures only: no result may depend on it.
    public var nowNanoseconds: @Sendable () -> UInt64
    /// A line for the worker's log.
    public var log: @Sendable (String) -> Void

    public init(
        pool: ThreadPool, cacheDirectory: String, isCancelled: @escaping @Sendable () -> Bool = { false },
        reportProgress: @escaping @Sendable (Double) -> Void = { _ in },
        nowNanoseconds: @escaping @Sendable () -> UInt64 = { 0 }, log: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.pool = pool
        self.cacheDirectory = cacheDirectory
        self.isCancelled = isCancelled
        self.reportProgress = reportProgress
        self.nowNanoseconds = nowNanoseconds
        self.log = log
    }
}

/// Why a piece of work ends without a result. Any other error: it failed here and may succeed elsewhere.
public enum RecipeError: Error, Sendable {
    /// The input is at fault: trying again anywhere gives the same. The message names the file and the remedy.
    case inputRefused(String)
    /// `RecipeResources.isCancelled` said so; nothing is wrong with the work.
    case interrupted
    /// It has no step of this label: the run was planned for another version of it.
    case unknownStep(String)
}

/// One step of a run's plan, as a recipe is asked to do it.
public struct RecipeStep: Sendable {
    /// What the recipe calls it: "train", "predict".
    public var label: String
    /// The run's configuration, JSON.
    public var parameters: String
    public var seed: UInt64
    /// The replica's index; 0 for steps that are not done for each replica.
    public var replica: Int

    public init(label: String, parameters: String, seed: UInt64, replica: Int) {
        self.label = label
        self.parameters = parameters
        self.seed = seed
        self.replica = replica
    }
}

/// One iteration of a session.
public struct TrainingStep: Sendable, Equatable {
    /// Iterations completed, this one included.
    public var iteration: Int
    /// What it gave, name -> number: each recipe documents its own.
    public var figures: [String: Double]
    /// How long the step stood still because its samples were not made yet.
    public var waitingSeconds: Double

    public init(iteration: Int, figures: [String: Double], waitingSeconds: Double = 0) {
        self.iteration = iteration
        self.figures = figures
        self.waitingSeconds = waitingSeconds
    }
}

/// A replica in training. Used by one thread at a time.
public protocol TrainingSession: AnyObject {
    /// Iterations completed.
    var iteration: Int { get }
    var iterationCount: Int { get }
    /// One optimiser step; throws `RecipeError.interrupted` with nothing changed when cancelled meanwhile.
    func step() throws -> TrainingStep
    /// Everything needed to go on elsewhere with the same bytes.
    func checkpoint() throws -> [UInt8]
    /// The replica's file (safetensors under MONAI's names).
    func weights() throws -> [UInt8]
}

/// What is computed; who computes it, when and how often is not a recipe's business. Every function is pure in its
/// arguments: the same description gives the same weights, votes and voxels on any machine. The bytes of compressed
/// images also depend on its zlib. What commands say, ask and print with it is its `RecipePlugIn`, which has the name.
public protocol Recipe: Sendable {
    /// Begins or goes on with a session.
    /// - Parameter resume: a checkpoint's path, made by `TrainingSession.checkpoint()` of the same step and replica.
    /// - Throws: `RecipeError`; any other error: it failed here.
    func makeSession(_ step: RecipeStep, inputs: [RecipeInput], resume: String?, resources: RecipeResources) throws
        -> any TrainingSession

    /// Does a task. What a vote counts has an output for each replica, in replica order.
    /// - Throws: `RecipeError`; any other error: it failed here.
    func perform(_ step: RecipeStep, inputs: [RecipeInput], resources: RecipeResources) throws -> RecipeResult

    /// Makes what `perform` will need for this step of its inputs alone, and keeps it in memory: called by another
    /// thread, while something else is performed. What is wrong with the inputs is said by `perform`.
    ///
    /// - Parameters:
    ///   - resources: a pool of its own.
    ///   - memoryByteCount: what all of this process may have; 0: not known.
    /// - Throws: `RecipeError`; any other error: it failed here.
    func prepareAhead(
        _ step: RecipeStep, inputs: [RecipeInput], memoryByteCount: UInt64, resources: RecipeResources) throws

    /// A small fixed computation with everything that this recipe's results come from: programs that give the same
    /// bytes here give the same results. Some hundredths of a second; a worker asks once, when it starts.
    ///
    /// - Throws: where this machine cannot compute it, for want of memory.
    func proveArithmetic(pool: ThreadPool) throws -> [UInt8]
}

extension Recipe {
    /// Nothing.
    public func prepareAhead(
        _ step: RecipeStep, inputs: [RecipeInput], memoryByteCount: UInt64, resources: RecipeResources
    ) {}
}
