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
    let regions: [MemoryRegion]
    /// By convolution: its weights as the kernels want them.
    let packedForward: [MemoryRegion]
    let packedTransposed: [MemoryRegion]
    let scratch: MemoryRegion
    let target: MemoryRegion
    private(set) var floatCount = 0
    private let parameters: ParameterTable

    init(_ program: NetworkProgram, parameters: ParameterTable, training: Bool) {
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
        let regions = program.regions.map(reserve)
        self.regions = regions
        var packed: [ConvolutionDirection: [MemoryRegion]] = [:]
        for layer in program.layers {
            var shape = layer.shape
            let weight = parameters.specifications[layer.weight]
            let plain = layer.standardised.map { regions[$0] }
                ?? MemoryRegion(offset: weights.offset + weight.offset, count: weight.count)
            for (direction, isNeeded) in [
                (ConvolutionDirection.forward, layer.needsForwardWeights), (.transposed, layer.needsTransposedWeights),
            ] {
                let count = Int(quintet_packed_floats(&shape, direction.rawValue))
                // No floats: the kernels take the weights as they are.
                packed[direction, default: []].append(count == 0 ? plain : reserve(isNeeded ? count : 0))
            }
        }
        packedForward = packed[.forward] ?? []
        packedTransposed = packed[.transposed] ?? []
        // Used by one operation at a time.
        scratch = reserve(program.operations.map { $0.scratchFloats(program) }.max() ?? 0)
        let size = program.values[program.input.value].shape
        target = reserve(training ? size.voxelCount / 4 + 16 : 0)
        valueOffsets = Self.place(program) { reserve($0).offset }
        floatCount = end
    }

    /// The first float of a value, in its halo.
    func offset(_ view: ValueView) -> Int { offset(view.place) }

    private func offset(_ place: ValueView.Place) -> Int {
        valueOffsets[place.value] + place.firstBlock * Self.blockFloats(program.values[place.value])
    }

    /// The layout of a value with the gap between its parts.
    func layout(_ view: ValueView) -> quintet_layout {
        var layout = view.layout
        if let second = view.second {
            let block = Self.blockFloats(program.values[view.value]), distance = offset(second) - offset(view.place)
            precondition(distance % block == 0, "the parts of a tensor are of different sizes")
            layout.gap = Int32(distance / block) - (layout.split + 15) / 16
        }
        return layout
    }

    func shape(_ view: ValueView) -> TensorShape3D { program.values[view.value].shape }

    /// Output channels of a weight, and numbers for each.
    func rows(of weight: Int) -> (rows: Int32, count: Int32) {
        let specification = parameters.specifications[weight], rows = specification.shape[0]
        return (Int32(rows), Int32(specification.count / rows))
    }

    func parameter(_ index: Int, of whole: MemoryRegion) -> MemoryRegion {
        let specification = parameters.specifications[index]
        return MemoryRegion(offset: whole.offset + specification.offset, count: specification.count)
    }

    /// Floats of one value. No overflow: sides are at most 2^16 + 2, blocks a few hundred.
    static func floatCount(_ value: ValueShape) -> Int { blockFloats(value) * value.blockCount }

    private static func blockFloats(_ value: ValueShape) -> Int {
        let plane = (value.shape.height + 2) * (value.shape.width + 2)
        return (value.shape.depth + (value.flat ? 0 : 2)) * plane * (value.planar ? 1 : 16)
    }

    private struct Pool: Hashable {
        var shape: TensorShape3D
        var planar: Bool
        var flat: Bool
    }

    /// First and last operation that touches each value; input and output live throughout.
    private static func lifetimes(_ program: NetworkProgram) -> [ClosedRange<Int>?] {
        var result = [ClosedRange<Int>?](repeating: nil, count: program.values.count)
        for (time, operation) in program.operations.enumerated() {
            for value in operation.views.flatMap(\.values) {
                result[value] = (result[value]?.lowerBound ?? time)...time
            }
        }
        for view in [program.input, program.output, program.targetImage].compactMap({ $0 }) {
            result[view.value] = 0...program.operations.count
        }
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
            let shape = program.values[value], pool = Pool(shape: shape.shape, planar: shape.planar, flat: shape.flat)
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
            let block = blockFloats(program.values[pool.placed[0]])
            let start = reserve(pool.slots * block + Int(QUINTET_SLACK))
            for value in pool.placed { offsets[value] = start + slots[value] * block }
        }
        return offsets
    }
}
