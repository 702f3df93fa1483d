import CKernels

/// Where everything of a program lies in one block of memory.
///
/// Values of one size and layout share a pool of block slots: a slot's halo is zero from the start and stays so,
/// whichever value of that size uses it. Values whose lifetimes do not overlap share slots.
struct MemoryPlan {
    let program: NetworkProgram
    private let valueOffsets: [Int]
    let weights: MemoryRegion
    /// Gradient, running mean and running square of all parameters; empty without training.
    let gradients: MemoryRegion
    let means: MemoryRegion
    let squares: MemoryRegion
    let statistics: [MemoryRegion]
    let convolutions: [Convolution]
    let scratch: MemoryRegion
    let target: MemoryRegion
    private(set) var floatCount = 0
    private let parameters: UNetParameters

    init(_ program: NetworkProgram, parameters: UNetParameters, training: Bool) {
        self.program = program
        self.parameters = parameters
        var end = 0
        // Every region starts on a cache line.
        func reserve(_ count: Int) -> MemoryRegion {
            defer { end += (count + 15) / 16 * 16 }
            return MemoryRegion(offset: end, count: count)
        }
        let weights = reserve(parameters.count)
        self.weights = weights
        gradients = reserve(training ? parameters.count : 0)
        means = reserve(training ? parameters.count : 0)
        squares = reserve(training ? parameters.count : 0)
        statistics = program.statistics.map { reserve(Int(quintet_statistics_floats($0))) }
        convolutions = program.layers.map { layer in
            var shape = layer.shape
            let forward = quintet_packed_floats(&shape, ConvolutionDirection.forward.rawValue)
            let transposed = quintet_packed_floats(&shape, ConvolutionDirection.transposed.rawValue)
            let weight = parameters.specifications[layer.weight]
            let plain = MemoryRegion(offset: weights.offset + weight.offset, count: weight.count)
            // No floats: the kernels take the weights as they are.
            func packed(_ count: Int, isNeeded: Bool) -> MemoryRegion {
                count == 0 ? plain : reserve(isNeeded ? count : 0)
            }
            return Convolution(
                shape: layer.shape, weights: plain,
                packedForward: packed(Int(forward), isNeeded: layer.needsForwardWeights),
                packedTransposed: packed(Int(transposed), isNeeded: layer.needsTransposedWeights))
        }
        scratch = reserve(Self.scratchCount(program))
        let size = program.values[program.input.value].shape
        target = reserve(training ? size.voxelCount / 4 + 16 : 0)
        valueOffsets = Self.place(program) { reserve($0).offset }
        floatCount = end
    }

    func tensor(_ view: ValueView) -> Tensor {
        let block = Self.blockFloats(program.values[view.value])
        let offset = valueOffsets[view.value] + view.firstBlock * block
        var layout = view.layout
        if let second = view.second {
            let distance = valueOffsets[second.value] + second.firstBlock * block - offset
            precondition(distance % block == 0, "the parts of a tensor are of different sizes")
            layout.gap = Int32(distance / block) - (layout.split + 15) / 16
        }
        return Tensor(offset: offset, layout: layout)
    }

    func resultStatistics(_ index: Int) -> ResultStatistics {
        ResultStatistics(layout: program.statistics[index], statistics: statistics[index], scratch: scratch)
    }

    func parameter(_ index: Int, of whole: MemoryRegion) -> MemoryRegion {
        let specification = parameters.specifications[index]
        return MemoryRegion(offset: whole.offset + specification.offset, count: specification.count)
    }

    /// Floats of one value. No overflow: sides are at most 2^16 + 2, blocks a few hundred.
    static func floatCount(_ value: ValueShape) -> Int { blockFloats(value) * value.blockCount }

    private static func blockFloats(_ value: ValueShape) -> Int {
        (value.shape.depth + 2) * (value.shape.height + 2) * (value.shape.width + 2) * (value.planar ? 1 : 16)
    }

    /// Scratch is used by one operation at a time.
    private static func scratchCount(_ program: NetworkProgram) -> Int {
        var most = 0
        for operation in program.operations {
            switch operation {
            case .weightGradient(let layer, _, _):
                var shape = program.layers[layer].shape
                most = max(most, Int(quintet_gradient_scratch(&shape)))
            case .convolve(let layer, let direction, _, _, _, _, let statistics?):
                var shape = program.layers[layer].shape
                let result = program.statistics[statistics]
                most = max(most, 2 * Int(quintet_result_scratch(&shape, direction.rawValue, result)))
            case .normActivateGradient(let view, _, _, _, _), .biasGradient(let view, _), .loss(let view, _):
                most = max(most, 2 * Int(quintet_sum_scratch(view.layout)))
            default: break
            }
        }
        return most
    }

    private struct Pool: Hashable {
        var shape: TensorShape3D
        var planar: Bool
    }

    /// First and last operation that touches each value; input and logits live throughout.
    private static func lifetimes(_ program: NetworkProgram) -> [ClosedRange<Int>?] {
        var result = [ClosedRange<Int>?](repeating: nil, count: program.values.count)
        for (time, operation) in program.operations.enumerated() {
            for value in operation.values { result[value] = (result[value]?.lowerBound ?? time)...time }
        }
        for view in [program.input, program.logits] { result[view.value] = 0...program.operations.count }
        return result
    }

    /// First fit, in the order of first use: the first slots that are free for a value's whole lifetime.
    private static func place(_ program: NetworkProgram, reserve: (Int) -> Int) -> [Int] {
        let lifetimes = lifetimes(program)
        var slots = [Int](repeating: 0, count: program.values.count)
        var poolSizes: [(pool: Pool, slots: Int, placed: [Int])] = []
        let order = program.values.indices.sorted {
            (lifetimes[$0]?.lowerBound ?? 0, $0) < (lifetimes[$1]?.lowerBound ?? 0, $1)
        }
        for value in order {
            let shape = program.values[value], pool = Pool(shape: shape.shape, planar: shape.planar)
            let index = poolSizes.firstIndex { $0.pool == pool } ?? poolSizes.count
            if index == poolSizes.count { poolSizes.append((pool, 0, [])) }
            let busy = poolSizes[index].placed.filter {
                guard let own = lifetimes[value], let other = lifetimes[$0] else { return false }
                return own.overlaps(other)
            }.map { slots[$0]..<(slots[$0] + program.values[$0].blockCount) }.sorted { $0.lowerBound < $1.lowerBound }
            var first = 0
            for range in busy where range.lowerBound < first + shape.blockCount { first = max(first, range.upperBound) }
            slots[value] = first
            poolSizes[index].placed.append(value)
            poolSizes[index].slots = max(poolSizes[index].slots, first + shape.blockCount)
        }
        var offsets = slots
        for pool in poolSizes {
            let block = blockFloats(ValueShape(shape: pool.pool.shape, planar: pool.pool.planar, blockCount: 1))
            let start = reserve(pool.slots * block + Int(QUINTET_SLACK))
            for value in pool.placed { offsets[value] = start + slots[value] * block }
        }
        return offsets
    }
}
