import Imaging
import ModelCore
import Numerics
import VotingAggregator

/// Networks' answers for whole volumes (A4): slabs that overlap, blended. One block of memory serves every replica.
///
/// Replicas are the outer loop, slabs the inner; docs/METHOD.md says why, and why the overlap is computed twice.
package final class EnsembleInference {
    let slab: TensorShape3D
    let pool: ThreadPool
    private var predictor: UNetPredictor?
    /// A volume shorter than a slab, zeros behind its end; otherwise slabs are read where they lie.
    private var padded: [Float] = []
    private var answer: [Float]
    /// Weighted sums of the slices that the current slab covers.
    private var sums: [Float]
    /// Time spent in networks so far.
    private(set) var networkNanoseconds: UInt64 = 0

    package init(slab: TensorShape3D, pool: ThreadPool) {
        self.slab = slab
        self.pool = pool
        answer = [Float](repeating: 0, count: slab.voxelCount)
        sums = answer
    }

    /// Softmax of the healthy channel for every slice from the first with lung to the last.
    ///
    /// - Parameter use: gets these slices in order, each once, as soon as no slab to come covers it.
    package func healthyProbability(
        model: UNetModel, intensity: Volume<Float>, lung: Mask, resources: RecipeResources,
        use: (_ slices: Range<Int>, _ probability: UnsafeBufferPointer<Float>) -> Void
    ) throws {
        let shape = intensity.shape, plane = shape.sliceVoxelCount
        precondition(shape.height == slab.height && shape.width == slab.width, "a slab is whole slices")
        guard let box = lung.boundingBox() else { return }
        let plan = SlabPlan(depth: shape.depth, lungSlices: box.z, slabDepth: slab.depth)
        let predictor = try loaded(model)
        let firsts = plan.firstSlices
        var summed = firsts[0]..<firsts[0]
        for (number, first) in firsts.enumerated() {
            if resources.isCancelled() { throw RecipeError.interrupted }
            let slices = first..<min(first + slab.depth, shape.depth)
            let start = resources.nowNanoseconds()
            predict(predictor, intensity, slices)
            networkNanoseconds += resources.nowNanoseconds() - start
            add(plan, slices: slices, summed: summed.clamped(to: slices), plane: plane)
            let end = number + 1 < firsts.count ? firsts[number + 1] : slices.upperBound
            let finished = first..<end
            scale(plan, finished, plane: plane)
            let voxels = 0..<(finished.count * plane)
            guard sums.withUnsafeBufferPointer({ FiniteCheck.isFinite(.init(rebasing: $0[voxels])) }) else {
                throw RecipeError.inputRefused("\(model.name) answers with what is no number in slices "
                    + "\(finished.lowerBound) to \(finished.upperBound - 1); its weights are out of bounds: train it "
                    + "again")
            }
            sums.withUnsafeBufferPointer { use(finished, .init(rebasing: $0[voxels])) }
            // What the next slab goes on with moves to the front.
            summed = end..<slices.upperBound
            sums.withUnsafeMutableBufferPointer { sums in
                guard let base = sums.baseAddress else { return }
                base.update(from: base + finished.count * plane, count: summed.count * plane)
            }
        }
    }

    /// The same as a whole volume; 0 in slices without lung.
    package func healthyProbability(
        model: UNetModel, intensity: Volume<Float>, lung: Mask, resources: RecipeResources
    ) throws -> [Float] {
        let shape = intensity.shape
        var all = [Float](repeating: 0, count: shape.voxelCount)
        try healthyProbability(
            model: model, intensity: intensity, lung: lung, resources: resources
        ) { slices, probability in
            all.replaceSubrange(
                (slices.lowerBound * shape.sliceVoxelCount)..<(slices.upperBound * shape.sliceVoxelCount),
                with: probability)
        }
        return all
    }

    /// The bits a replica votes with: healthy where the probability is above the threshold.
    /// - Parameter use: gets the probabilities, too, as `healthyProbability` gives them.
    package func votes(
        model: UNetModel, intensity: Volume<Float>, lung: Mask, threshold: Double, resources: RecipeResources,
        use: (_ slices: Range<Int>, _ probability: UnsafeBufferPointer<Float>) -> Void = { _, _ in }
    ) throws -> BitMask {
        var votes = BitMask(shape: intensity.shape)
        try healthyProbability(
            model: model, intensity: intensity, lung: lung, resources: resources
        ) { slices, probability in
            votes.set(slices: slices, where: probability, above: Float(threshold), pool: pool)
            use(slices, probability)
        }
        return votes
    }

    private func loaded(_ model: UNetModel) throws -> UNetPredictor {
        if let predictor, predictor.configuration == model.configuration {
            predictor.load(model)
            return predictor
        }
        predictor = nil
        let made = try UNetPredictor(model: model, shape: slab, pool: pool)
        predictor = made
        return made
    }

    private func predict(_ predictor: UNetPredictor, _ intensity: Volume<Float>, _ slices: Range<Int>) {
        let plane = intensity.shape.sliceVoxelCount
        answer.withUnsafeMutableBufferPointer { answer in
            intensity.voxels.withUnsafeBufferPointer { voxels in
                let part = voxels[(slices.lowerBound * plane)..<(slices.upperBound * plane)]
                if slices.count == slab.depth {
                    predictor.classProbability(input: .init(rebasing: part), class: 1, into: answer)
                } else {
                    padded = Array(part) + [Float](repeating: 0, count: slab.voxelCount - part.count)
                    padded.withUnsafeBufferPointer { predictor.classProbability(input: $0, class: 1, into: answer) }
                }
            }
        }
    }

    /// Adds the answer, weighted; slices beyond `summed` have no sum yet.
    private func add(_ plan: SlabPlan, slices: Range<Int>, summed: Range<Int>, plane: Int) {
        answer.withUnsafeBufferPointer { answer in
            sums.withUnsafeMutableBufferPointer { sums in
                nonisolated(unsafe) let (answer, sums) = (answer, sums)
                pool.run(taskCount: slices.count) { offset in
                    let weight = plan.weight(offset), isFirst = offset >= summed.count
                    for index in (offset * plane)..<((offset + 1) * plane) {
                        sums[index] = isFirst ? weight * answer[index] : sums[index] + weight * answer[index]
                    }
                }
            }
        }
    }

    /// From weighted sums to means.
    private func scale(_ plan: SlabPlan, _ slices: Range<Int>, plane: Int) {
        sums.withUnsafeMutableBufferPointer { sums in
            nonisolated(unsafe) let sums = sums
            pool.run(taskCount: slices.count) { number in
                let factor = 1 / plan.totalWeight(slices.lowerBound + number)
                for index in (number * plane)..<((number + 1) * plane) { sums[index] *= factor }
            }
        }
    }

    /// The replicas of a run, from their safetensors files.
    /// - Parameter network: the run's. A file of another one is sound by itself, but its inputs and answers are not
    ///   what is computed here.
    /// - Throws: `RecipeError.inputRefused` naming a file that is no such network.
    static func loadReplicas(_ inputs: [RecipeInput], network: UNetConfiguration) throws -> [UNetModel] {
        let replicas = inputs.filter { $0.role == "replica" }
        guard !replicas.isEmpty else { throw RecipeError.inputRefused("the run has no replica to vote with") }
        return try replicas.map { input in
            do {
                let tensors = try SafeTensors(bytes: try InputFile.bytes(input), name: input.name)
                let model = try UNetModel(file: tensors)
                guard model.configuration == network else { throw foreign(input, model.configuration, network) }
                return model
            } catch let error as RecipeError {
                throw error
            } catch {
                throw RecipeError.inputRefused("\(input.name): \(error)")
            }
        }
    }

    private static func foreign(
        _ input: RecipeInput, _ found: UNetConfiguration, _ wanted: UNetConfiguration
    ) -> RecipeError {
        func text(_ network: UNetConfiguration) -> String {
            "in \(network.inChannels), out \(network.outChannels), channels \(network.channels), strides "
                + "\(network.strides), residual units \(network.residualUnits)"
        }
        return .inputRefused("\(input.name) is another network (\(text(found))) than the run's (\(text(wanted))); take "
            + "the replicas and the run.json that one quintet train has written")
    }
}
