import Imaging
import Numerics
import SynthData

/// Makes the training samples of one replica: a clean slice and the same slice with a made-up anomaly. A sample is a
/// pure function of (run seed, replica, stage, iteration, sample).
///
/// An epoch goes once through all clean slices in an order of its own. The program's last batch of an epoch is smaller
/// than the others; here every batch is full, and the one in which an epoch ends goes on with the next epoch's slices.
public struct LiverSamples: Sendable {
    /// The trainings of the recipe. The two that follow each other have samples of their own.
    public enum Stage: Sendable {
        case restoration, segmentation
        /// Both at once.
        case together

        var isSecond: Bool { self == .segmentation }
    }

    /// What the networks are given and what they shall answer, bytes of `size` x `size` pixels.
    public struct Sample: Sendable {
        /// The slice without the anomaly: what stage 1 shall restore.
        public var clean: [UInt8] = []
        public var made = PseudoAnomalySample()

        public init() {}
    }

    public let dataSet: LiverDataSet
    public let settings: PseudoAnomalySettings
    let seed: UInt64
    let replica: Int
    let stage: Stage
    let batch: Int

    /// - Parameter settings: of the data set's size, without a `problem`.
    /// - Throws: `RecipeError.inputRefused` when they are not.
    public init(
        dataSet: LiverDataSet, settings: PseudoAnomalySettings, seed: UInt64, replica: Int, stage: Stage, batch: Int
    ) throws {
        precondition(batch > 0 && batch <= 256, "a batch has 1 to 256 samples")
        if let problem = settings.problem {
            throw RecipeError.inputRefused("pseudo-anomalies cannot be made so: \(problem)")
        }
        guard settings.size == dataSet.manifest.settings.size else {
            throw RecipeError.inputRefused("the data set has slices of \(dataSet.manifest.settings.size) pixels, the "
                + "run of \(settings.size); prepare the CTs with the run's preset")
        }
        (self.dataSet, self.settings, self.seed, self.replica) = (dataSet, settings, seed, replica)
        (self.stage, self.batch) = (stage, batch)
    }

    /// Iterations that show every clean slice at least `epochs` times.
    public func iterationCount(epochs: Int) -> Int { (dataSet.cleanSlices.count * epochs + batch - 1) / batch }

    /// Makes samples one after the other with memory that it reuses; one for every thread.
    public func newMaker() -> (_ iteration: Int, _ sample: Int, _ made: inout Sample) -> Void {
        let generator = PseudoAnomalyGenerator(settings: settings), workspace = PseudoAnomalyWorkspace()
        var known: (epoch: Int, order: [Int])?
        return { iteration, sample, made in
            precondition((0..<batch).contains(sample) && iteration >= 0 && iteration < 1 << 31)
            let position = iteration * batch + sample, count = dataSet.cleanSlices.count
            let epoch = position / count
            let order = known.flatMap { $0.epoch == epoch ? $0.order : nil } ?? self.order(epoch: epoch)
            known = (epoch, order)
            let place = dataSet.cleanSlices[order[position % count]]
            // The stages' samples must not be the same: the upper half of the iterations is the second stage's.
            let key = LesionKey(seed: seed, replica: replica, iteration: staged(iteration), sample: sample)
            dataSet.withPixels(place) { slice in
                made.clean.removeAll(keepingCapacity: true)
                made.clean.append(contentsOf: slice)
                guard settings.filling == .draem else {
                    generator.makeSample(slice: slice, key: key, into: &made.made, workspace: workspace)
                    return
                }
                dataSet.withPixels(textureSlice(key)) { texture in
                    generator.makeSample(
                        slice: slice, texture: texture, key: key, into: &made.made, workspace: workspace)
                }
            }
        }
    }

    private func staged(_ iteration: Int) -> Int { iteration + (stage.isSecond ? 1 << 31 : 0) }

    /// The slices of an epoch by number, each once (Fisher and Yates).
    package func order(epoch: Int) -> [Int] {
        var random = RandomKey(seed: seed, replica: replica, iteration: staged(epoch), purpose: .sliceOrder).stream(0)
        var order = Array(dataSet.cleanSlices.indices)
        for last in stride(from: order.count - 1, to: 0, by: -1) { order.swapAt(last, random.index(below: last + 1)) }
        return order
    }

    private func textureSlice(_ key: LesionKey) -> LiverDataSet.Place {
        var random = RandomKey(seed: key.seed, replica: key.replica, iteration: key.iteration, sample: key.sample,
                               purpose: .sliceOrder).stream(1)
        return dataSet.cleanSlices[random.index(below: dataSet.cleanSlices.count)]
    }
}
