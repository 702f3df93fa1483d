import CKernels
import ModelCore
import Numerics
import Testing

/// A convolution on random data, as flat memory for the kernels' own interface.
struct ConvolutionCase: CustomTestStringConvertible, Sendable {
    var fine: Int, coarse: Int
    var kernel = 3, stride: Int
    /// Of the coarse side.
    var size: (Int, Int, Int)
    var finePlanar = false, coarsePlanar = false
    var fineSplit = 0, coarseSplit = 0
    /// Blocks between the parts of both sides.
    var gap = 0
    /// The planes are samples: kernel and stride are 1 in depth.
    var flat = false
    var mirrored = false

    var testDescription: String {
        "\(fine)\(finePlanar ? " planar" : "")->\(coarse)\(coarsePlanar ? " planar" : "") k\(kernel) s\(stride) \(size)"
            + (flat ? " flat" : "") + (mirrored ? " mirrored" : "")
    }

    var weightCount: Int { fine * coarse * kernel * kernel * (flat ? 1 : kernel) }

    var shape: quintet_convolution {
        func layout(_ channels: Int, _ factor: Int, _ planar: Bool, _ split: Int) -> quintet_layout {
            quintet_layout(
                channels: Int32(channels), depth: Int32(size.0 * (flat ? 1 : factor)), height: Int32(size.1 * factor),
                width: Int32(size.2 * factor), planar: planar ? 1 : 0, split: Int32(split),
                gap: split > 0 ? Int32(gap) : 0, flat: flat ? 1 : 0)
        }
        func sizes(_ side: Int) -> quintet_size3 {
            quintet_size3(depth: flat ? 1 : Int32(side), height: Int32(side), width: Int32(side))
        }
        return quintet_convolution(
            fine: layout(fine, stride, finePlanar, fineSplit), coarse: layout(coarse, 1, coarsePlanar, coarseSplit),
            kernel: sizes(kernel), stride: sizes(stride), mirrored: mirrored ? 1 : 0)
    }
}

/// 64-byte aligned zeroed memory that dies with its owner.
private final class Memory {
    let floats: UnsafeMutablePointer<Float>
    let count: Int
    init(_ count: Int) {
        self.count = count
        floats = quintet_arena_create((count + 64) * 4)!.assumingMemoryBound(to: Float.self)
    }
    deinit { quintet_arena_destroy(floats) }
    var array: [Float] { Array(UnsafeBufferPointer(start: floats, count: count)) }
}

private func random(_ count: Int, _ index: UInt32) -> [Float] {
    var stream = RandomKey(seed: 7, purpose: .phantomNoise).stream(index)
    return (0..<count).map { _ in stream.uniform(-1, 1) }
}

private func tensor(_ layout: quintet_layout, _ index: UInt32, _ pool: ThreadPool) -> Memory {
    let memory = Memory(quintet_layout_floats(layout))
    let plain = random(Int(layout.channels * layout.depth * layout.height * layout.width), index)
    quintet_import(pool.handle, layout, layout.depth, layout.height, layout.width, plain, memory.floats)
    return memory
}

/// As the kernels want them, which may be as they are.
private func packedWeights(
    _ weights: [Float], _ shape: quintet_convolution, _ direction: Int32, _ pool: ThreadPool
) -> Memory {
    var shape = shape
    let count = Int(quintet_packed_floats(&shape, direction)), memory = Memory(max(count, weights.count))
    if count == 0 { memory.floats.update(from: weights, count: weights.count) }
    quintet_pack_weights(pool.handle, &shape, direction, weights, memory.floats)
    return memory
}

private struct ConvolutionResults {
    var forward: [Float], transposed: [Float], gradient: [Float]
    /// Of the first part of both results, as the norm behind them wants them.
    var forwardStatistics: [Float], transposedStatistics: [Float]
}

/// Runs one direction and returns what it says of its result's first part.
private func statistics(
    _ shape: quintet_convolution, _ direction: Int32, _ run: (UnsafePointer<quintet_result_statistics>) -> Void
) -> [Float] {
    var shape = shape, layout = direction == Int32(QUINTET_FORWARD) ? shape.coarse : shape.fine
    if layout.split > 0 { (layout.channels, layout.split, layout.gap) = (layout.split, 0, 0) }
    let scratch = Memory(2 * quintet_result_scratch(&shape, direction, layout))
    let statistics = Memory(quintet_statistics_floats(layout))
    scratch.floats.withMemoryRebound(to: Double.self, capacity: scratch.count / 2) {
        var wanted = quintet_result_statistics(layout: layout, statistics: statistics.floats, scratch: $0)
        run(&wanted)
    }
    // Without the channels that only fill a block up.
    let count = Int(layout.channels), padded = layout.planar != 0 ? count : statistics.count / 2
    return (0..<count).map { statistics.floats[$0] } + (0..<count).map { statistics.floats[padded + $0] }
}

/// All three operations, accumulating onto random data where `accumulate` says so.
private func results(_ test: ConvolutionCase, accumulate: Bool, threads: Int = 2) -> ConvolutionResults {
    let pool = ThreadPool(threadCount: threads)
    var shape = test.shape
    let weights = random(test.weightCount, 1)
    let packed = packedWeights(weights, shape, 0, pool), packedBack = packedWeights(weights, shape, 1, pool)
    let x = tensor(shape.fine, 2, pool), y = tensor(shape.coarse, 3, pool)
    if test.mirrored { quintet_mirror(pool.handle, shape.fine, x.floats) }
    let forward = tensor(shape.coarse, 4, pool), back = tensor(shape.fine, 5, pool)
    let mode: Int32 = accumulate ? 1 : 0
    let forwardStatistics = statistics(shape, Int32(QUINTET_FORWARD)) { wanted in
        quintet_convolve(
            pool.handle, &shape, x.floats, packed.floats, accumulate ? nil : random(test.coarse, 6), forward.floats,
            mode, wanted)
    }
    let transposedStatistics = statistics(shape, Int32(QUINTET_TRANSPOSED)) { wanted in
        quintet_convolve_transposed(
            pool.handle, &shape, y.floats, packedBack.floats, accumulate ? nil : random(test.fine, 7), back.floats,
            mode, wanted)
    }
    if test.mirrored { quintet_mirror_gradient(pool.handle, &shape, y.floats, weights, back.floats) }
    var gradient = random(weights.count, 8)
    let scratch = Memory(quintet_gradient_scratch(&shape))
    quintet_weight_gradient(pool.handle, &shape, x.floats, y.floats, scratch.floats, &gradient)
    return ConvolutionResults(
        forward: forward.array, transposed: back.array, gradient: gradient, forwardStatistics: forwardStatistics,
        transposedStatistics: transposedStatistics)
}

/// Root of the mean square of the difference, over that of the reference.
private func rootMeanSquareError(_ values: [Float], _ reference: [Float]) -> Double {
    let square = zip(values, reference).reduce(0) { $0 + (Double($1.0) - Double($1.1)) * (Double($1.0) - Double($1.1)) }
    return (square / reference.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
}

struct KernelAgreementTests {
    static let cases: [ConvolutionCase] = flatCases + [
        ConvolutionCase(fine: 16, coarse: 16, stride: 1, size: (2, 4, 4)),
        ConvolutionCase(fine: 16, coarse: 32, stride: 1, size: (3, 5, 7)),
        ConvolutionCase(fine: 40, coarse: 17, stride: 1, size: (1, 1, 1)),
        ConvolutionCase(fine: 5, coarse: 23, stride: 1, size: (2, 3, 13)),
        ConvolutionCase(fine: 16, coarse: 16, stride: 1, size: (6, 9, 29)),
        ConvolutionCase(fine: 33, coarse: 20, stride: 1, size: (5, 12, 16), fineSplit: 9),
        ConvolutionCase(fine: 16, coarse: 16, stride: 1, size: (16, 17, 18)),
        // Winograd, with tiles over the end on every side, and its weight gradient in one slot and in several.
        ConvolutionCase(fine: 16, coarse: 16, stride: 1, size: (5, 15, 31)),
        ConvolutionCase(fine: 21, coarse: 24, stride: 1, size: (7, 14, 27), fineSplit: 5, coarseSplit: 8),
        ConvolutionCase(fine: 16, coarse: 35, stride: 1, size: (4, 20, 33)),
        // More tiles in each slot of its weight gradient than are taken at once.
        ConvolutionCase(fine: 16, coarse: 16, stride: 1, size: (16, 40, 42)),
        // Winograd with few tiles: an odd number of blocks, and more tiles than fit the cache beside two blocks.
        ConvolutionCase(fine: 40, coarse: 70, stride: 1, size: (2, 15, 14), coarseSplit: 33),
        ConvolutionCase(fine: 70, coarse: 40, stride: 1, size: (3, 16, 15)),
        ConvolutionCase(fine: 16, coarse: 32, stride: 2, size: (2, 3, 7)),
        ConvolutionCase(fine: 20, coarse: 5, stride: 2, size: (1, 2, 13)),
        ConvolutionCase(fine: 16, coarse: 38, stride: 2, size: (2, 3, 5), coarseSplit: 6),
        // Winograd at stride 2: tiles over the end on every side, exact tiles, many blocks with few tiles.
        ConvolutionCase(fine: 16, coarse: 16, stride: 2, size: (5, 15, 31)),
        ConvolutionCase(fine: 21, coarse: 24, stride: 2, size: (7, 14, 27), fineSplit: 5, coarseSplit: 8),
        ConvolutionCase(fine: 33, coarse: 16, stride: 2, size: (4, 8, 12)),
        ConvolutionCase(fine: 16, coarse: 80, stride: 2, size: (2, 7, 8)),
        // Two tensors as the parts of one, for each way to compute.
        ConvolutionCase(fine: 21, coarse: 40, stride: 2, size: (7, 14, 27), fineSplit: 5, coarseSplit: 20, gap: 3),
        ConvolutionCase(fine: 21, coarse: 40, stride: 2, size: (1, 2, 3), fineSplit: 5, coarseSplit: 20, gap: 3),
        ConvolutionCase(fine: 40, coarse: 70, stride: 1, size: (2, 15, 14), fineSplit: 8, coarseSplit: 33, gap: 1),
        ConvolutionCase(fine: 20, coarse: 24, stride: 1, size: (7, 14, 27), fineSplit: 5, coarseSplit: 8, gap: 1),
        ConvolutionCase(fine: 1, coarse: 32, stride: 2, size: (2, 3, 17), finePlanar: true, coarseSplit: 16, gap: 2),
        ConvolutionCase(fine: 16, coarse: 40, kernel: 1, stride: 1, size: (2, 3, 7)),
        ConvolutionCase(fine: 3, coarse: 40, kernel: 1, stride: 1, size: (2, 3, 7), finePlanar: true),
        ConvolutionCase(fine: 1, coarse: 16, stride: 2, size: (2, 3, 17), finePlanar: true),
        ConvolutionCase(fine: 1, coarse: 20, stride: 1, size: (2, 5, 7), finePlanar: true),
        ConvolutionCase(fine: 2, coarse: 33, stride: 2, size: (2, 3, 5), finePlanar: true, coarseSplit: 17),
        ConvolutionCase(fine: 3, coarse: 20, stride: 2, size: (5, 9, 70), finePlanar: true),
        ConvolutionCase(fine: 4, coarse: 16, stride: 1, size: (2, 3, 19), finePlanar: true),
        ConvolutionCase(fine: 2, coarse: 2, stride: 1, size: (3, 4, 35), finePlanar: true, coarsePlanar: true),
        ConvolutionCase(fine: 2, coarse: 3, stride: 1, size: (2, 18, 90), finePlanar: true, coarsePlanar: true),
        ConvolutionCase(fine: 3, coarse: 1, stride: 1, size: (1, 2, 16), finePlanar: true, coarsePlanar: true),
        ConvolutionCase(fine: 4, coarse: 3, stride: 1, size: (2, 2, 3), finePlanar: true, coarsePlanar: true),
        ConvolutionCase(fine: 6, coarse: 7, stride: 3, size: (2, 2, 3)),
    ]

    /// Batches of 2D samples, with tiles over the end and channels that fill no block.
    static let flatCases: [ConvolutionCase] = [
        ConvolutionCase(fine: 33, coarse: 20, stride: 1, size: (3, 21, 30), flat: true),
        ConvolutionCase(fine: 33, coarse: 20, stride: 1, size: (3, 21, 30), flat: true, mirrored: true),
        ConvolutionCase(fine: 64, coarse: 48, stride: 1, size: (5, 32, 37), flat: true, mirrored: true),
        // A point a task, in one batch of tiles and in several.
        ConvolutionCase(fine: 97, coarse: 100, stride: 1, size: (2, 13, 17), flat: true),
        ConvolutionCase(fine: 10, coarse: 520, stride: 1, size: (1, 53, 57), flat: true, mirrored: true),
        ConvolutionCase(
            fine: 40, coarse: 70, stride: 1, size: (2, 15, 14), fineSplit: 8, coarseSplit: 33, gap: 1, flat: true),
        ConvolutionCase(
            fine: 110, coarse: 100, stride: 1, size: (2, 15, 14), fineSplit: 40, coarseSplit: 33, gap: 2, flat: true),
        // Direct: small planes, kernels of one and of two.
        ConvolutionCase(fine: 20, coarse: 40, stride: 1, size: (2, 3, 5), flat: true),
        ConvolutionCase(fine: 40, coarse: 20, stride: 1, size: (1, 2, 2), flat: true, mirrored: true),
        ConvolutionCase(fine: 40, coarse: 20, kernel: 1, stride: 1, size: (2, 7, 19), flat: true),
        ConvolutionCase(fine: 20, coarse: 40, kernel: 2, stride: 2, size: (3, 5, 14), flat: true),
        ConvolutionCase(
            fine: 70, coarse: 33, kernel: 2, stride: 2, size: (2, 9, 13), fineSplit: 16, gap: 1, flat: true),
        // A planar side.
        ConvolutionCase(fine: 1, coarse: 64, stride: 1, size: (3, 18, 35), finePlanar: true, flat: true),
        ConvolutionCase(
            fine: 2, coarse: 33, stride: 1, size: (3, 18, 35), finePlanar: true, flat: true, mirrored: true),
        ConvolutionCase(fine: 3, coarse: 20, kernel: 1, stride: 1, size: (1, 5, 7), finePlanar: true, flat: true),
        ConvolutionCase(fine: 64, coarse: 2, kernel: 1, stride: 1, size: (3, 18, 35), coarsePlanar: true, flat: true),
        ConvolutionCase(fine: 20, coarse: 3, stride: 1, size: (2, 9, 21), coarsePlanar: true, flat: true),
        ConvolutionCase(
            fine: 17, coarse: 4, stride: 1, size: (2, 4, 5), coarsePlanar: true, flat: true, mirrored: true),
        // Plain loops.
        ConvolutionCase(fine: 6, coarse: 7, kernel: 5, stride: 1, size: (2, 6, 7), flat: true),
        ConvolutionCase(fine: 6, coarse: 7, kernel: 7, stride: 2, size: (2, 3, 4), flat: true),
    ]

    @Test(arguments: cases, [false, true])
    func fastConvolutionsAgreeWithTheNaiveOnes(_ test: ConvolutionCase, accumulate: Bool) {
        let reference = KernelVariant.naive.force { results(test, accumulate: accumulate) }
        // Without accumulation the others are the same to the bit, see below.
        for variant in variants where variant != .naive && (accumulate || variant == .portable) {
            let fast = variant.force { results(test, accumulate: accumulate) }
            // Winograd's constants cost something.
            let isDirect = test.stride > 2 || test.kernel != 3 || test.finePlanar || test.coarsePlanar
            let bound = isDirect ? 1e-6 : 2e-6
            #expect(relativeError(fast.forward, reference.forward) < bound, "\(variant) forward")
            #expect(relativeError(fast.transposed, reference.transposed) < bound, "\(variant) transposed")
            #expect(relativeError(fast.gradient, reference.gradient) < bound, "\(variant) weight gradient")
            for (one, other) in [
                (fast.forwardStatistics, reference.forwardStatistics),
                (fast.transposedStatistics, reference.transposedStatistics),
            ] {
                #expect(relativeError(one, other) < 1e-5, "\(variant) statistics")
            }
        }
    }

    /// Their squares are summed in float: the mean must not take up all digits.
    @Test(arguments: cases)
    func statisticsOnTheWayAreThoseOfAPassEvenFarFromZero(_ test: ConvolutionCase) {
        let pool = ThreadPool(threadCount: 2)
        var shape = test.shape
        let weights = random(test.weightCount, 1)
        let packed = packedWeights(weights, shape, 0, pool), x = tensor(shape.fine, 2, pool)
        let y = Memory(quintet_layout_floats(shape.coarse)), bias = [Float](repeating: 1000, count: test.coarse)
        var layout = shape.coarse
        if layout.split > 0 { (layout.channels, layout.split, layout.gap) = (layout.split, 0, 0) }
        let onTheWay = statistics(shape, Int32(QUINTET_FORWARD)) { wanted in
            quintet_convolve(pool.handle, &shape, x.floats, packed.floats, bias, y.floats, 0, wanted)
        }
        let pass = statistics(shape, Int32(QUINTET_FORWARD)) { wanted in
            quintet_norm_statistics(
                pool.handle, layout, y.floats, wanted.pointee.scratch, wanted.pointee.statistics)
        }
        let channels = Int(layout.channels)
        #expect(relativeError(Array(onTheWay[..<channels]), Array(pass[..<channels])) < 1e-7, "means")
        #expect(relativeError(Array(onTheWay[channels...]), Array(pass[channels...])) < 1e-5, "deviations")
    }

    /// A training amplifies rounding, which turns the sign of what lies next to PReLU's kink.
    @Test(arguments: [
        ConvolutionCase(fine: 48, coarse: 48, stride: 1, size: (4, 16, 24)),
        ConvolutionCase(fine: 32, coarse: 48, stride: 1, size: (4, 16, 36)),
        ConvolutionCase(fine: 48, coarse: 48, stride: 2, size: (4, 16, 32)),
    ]) func sumsOfAThousandProductsRoundLittle(_ test: ConvolutionCase) {
        func own() -> ConvolutionResults { results(test, accumulate: false) }
        let reference = KernelVariant.naive.force(own)
        for (name, fast, bound) in [
            ("Winograd", own(), 8e-7), ("direct", KernelVariant.withoutWinograd(own), 4e-7),
        ] {
            #expect(rootMeanSquareError(fast.forward, reference.forward) < bound, "\(name)")
            #expect(rootMeanSquareError(fast.transposed, reference.transposed) < bound, "\(name)")
            #expect(rootMeanSquareError(fast.gradient, reference.gradient) < 8e-7, "\(name)")
        }
    }

    @Test(arguments: cases)
    func everyInstructionSetAndThreadCountGivesTheSameBits(_ test: ConvolutionCase) {
        let reference = KernelVariant.portable.force { results(test, accumulate: false, threads: 1) }
        for variant in variants where variant != .naive {
            for threads in [1, 3] {
                let other = variant.force { results(test, accumulate: false, threads: threads) }
                #expect(other.forward == reference.forward, "\(variant), \(threads) threads")
                #expect(other.transposed == reference.transposed, "\(variant), \(threads) threads")
                #expect(other.gradient == reference.gradient, "\(variant), \(threads) threads")
                #expect(other.forwardStatistics == reference.forwardStatistics, "\(variant), \(threads) threads")
                #expect(other.transposedStatistics == reference.transposedStatistics, "\(variant), \(threads) threads")
            }
        }
    }

    /// The naive gradients are the judge of the fast ones; this is the judge of the naive.
    @Test func naiveGradientsAreTheDerivativesOfTheNaiveConvolution() {
        let test = ConvolutionCase(fine: 3, coarse: 4, stride: 2, size: (2, 2, 3))
        KernelVariant.naive.force {
            let pool = ThreadPool(threadCount: 1)
            var shape = test.shape
            let x = tensor(shape.fine, 2, pool), direction = tensor(shape.fine, 3, pool)
            let y = tensor(shape.coarse, 4, pool), out = Memory(quintet_layout_floats(shape.coarse))
            let back = Memory(quintet_layout_floats(shape.fine)), weights = random(3 * 4 * 27, 1)
            // The convolution is linear in x and in the weights: <conv(v), y> = <v, conv^T(y)> = <w, dw>.
            func product(_ a: Memory, _ b: Memory) -> Double {
                zip(a.array, b.array).reduce(0) { $0 + Double($1.0) * Double($1.1) }
            }
            quintet_convolve(pool.handle, &shape, direction.floats, weights, nil, out.floats, 0, nil)
            quintet_convolve_transposed(pool.handle, &shape, y.floats, weights, nil, back.floats, 0, nil)
            #expect(abs(product(out, y) - product(direction, back)) < 1e-4)
            quintet_convolve(pool.handle, &shape, x.floats, weights, nil, out.floats, 0, nil)
            var gradient = [Float](repeating: 0, count: weights.count)
            quintet_weight_gradient(pool.handle, &shape, x.floats, y.floats, back.floats, &gradient)
            let expected = zip(weights, gradient).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
            #expect(abs(product(out, y) - expected) < 1e-4)
        }
    }
}

struct NormAndLossAgreementTests {
    private static let layouts = [
        quintet_layout(channels: 20, depth: 3, height: 5, width: 7, planar: 0, split: 0, gap: 0, flat: 0),
        quintet_layout(channels: 2, depth: 2, height: 3, width: 37, planar: 1, split: 0, gap: 0, flat: 0),
        quintet_layout(channels: 5, depth: 1, height: 2, width: 2, planar: 0, split: 0, gap: 0, flat: 0),
        quintet_layout(channels: 3, depth: 4, height: 4, width: 16, planar: 1, split: 0, gap: 0, flat: 0),
    ]

    private struct Results: Equatable {
        var statistics: [Float] = [], activated: [Float] = [], gradient: [Float] = [], slope: [Float] = []
        var bias: [Float] = [], logitGradient: [Float] = [], probability: [Float] = []
        var loss = 0.0, counts: [Int64] = []
    }

    private func results(_ layout: quintet_layout, threads: Int) -> Results {
        let pool = ThreadPool(threadCount: threads)
        let x = tensor(layout, 1, pool), g = tensor(layout, 2, pool), r = tensor(layout, 3, pool)
        let scratchMemory = Memory(2 * quintet_sum_scratch(layout))
        let scratch = UnsafeMutableRawPointer(scratchMemory.floats).assumingMemoryBound(to: Double.self)
        let statistics = Memory(quintet_statistics_floats(layout)), y = Memory(quintet_layout_floats(layout))
        let dx = Memory(quintet_layout_floats(layout))
        var slope: Float = 0.3, slopeGradient: Float = 0.5
        quintet_norm_statistics(pool.handle, layout, x.floats, scratch, statistics.floats)
        quintet_norm_activate(pool.handle, layout, x.floats, statistics.floats, &slope, r.floats, y.floats)
        quintet_norm_activate_gradient(
            pool.handle, layout, x.floats, statistics.floats, &slope, g.floats, scratch, dx.floats, &slopeGradient)
        var all = Results()
        var bias = [Float](repeating: 1, count: Int(layout.channels))
        quintet_bias_gradient(pool.handle, layout, g.floats, scratch, &bias)
        (all.statistics, all.activated, all.gradient) = (statistics.array, y.array, dx.array)
        (all.slope, all.bias) = ([slopeGradient], bias)
        let voxels = Int(layout.depth * layout.height * layout.width)
        let target = random(voxels, 9).map { UInt8((abs($0) * Float(layout.channels)).rounded(.down)) }
        var figures = quintet_loss_figures()
        quintet_dice_cross_entropy(pool.handle, layout, x.floats, target, 0.5, scratch, dx.floats, &figures)
        all.logitGradient = dx.array
        all.loss = figures.loss
        all.counts = [figures.intersection, figures.predicted, figures.truth]
        all.probability = [Float](repeating: 0, count: voxels)
        quintet_softmax(
            pool.handle, layout, layout.depth, layout.height, layout.width, x.floats, 1, &all.probability)
        return all
    }

    @Test(arguments: layouts.indices) func fastNormAndLossAgreeWithTheNaiveOnes(_ index: Int) {
        let layout = Self.layouts[index], reference = KernelVariant.naive.force { results(layout, threads: 1) }
        for variant in variants where variant != .naive {
            let fast = variant.force { results(layout, threads: 2) }
            #expect(relativeError(fast.activated, reference.activated) < 1e-5, "\(variant)")
            #expect(relativeError(fast.gradient, reference.gradient) < 1e-5, "\(variant)")
            #expect(relativeError(fast.slope, reference.slope) < 1e-5, "\(variant)")
            #expect(relativeError(fast.bias, reference.bias) < 1e-5, "\(variant)")
            #expect(relativeError(fast.logitGradient, reference.logitGradient) < 1e-5, "\(variant)")
            #expect(relativeError(fast.probability, reference.probability) < 1e-6, "\(variant)")
            #expect(abs(fast.loss - reference.loss) < 1e-6, "\(variant)")
            #expect(fast.counts == reference.counts, "\(variant)")
        }
    }

    @Test(arguments: layouts.indices) func everyInstructionSetGivesTheSameBits(_ index: Int) {
        let reference = KernelVariant.portable.force { results(Self.layouts[index], threads: 1) }
        for variant in variants where variant != .naive {
            #expect(variant.force { results(Self.layouts[index], threads: 3) } == reference, "\(variant)")
        }
    }

    /// Large logits of both signs must neither overflow nor lose the loss.
    @Test func theLossOfExtremeLogitsIsFiniteAndRight() {
        let layout = quintet_layout(channels: 2, depth: 1, height: 1, width: 4, planar: 1, split: 0, gap: 0, flat: 0)
        let pool = ThreadPool(threadCount: 1)
        for variant in variants {
            variant.force {
                let x = Memory(quintet_layout_floats(layout)), g = Memory(quintet_layout_floats(layout))
                quintet_import(pool.handle, layout, 1, 1, 4, [0, 0, 500, -500, 0, 0, -500, 500], x.floats)
                let scratch = Memory(2 * quintet_sum_scratch(layout))
                var figures = quintet_loss_figures()
                quintet_dice_cross_entropy(
                    pool.handle, layout, x.floats, [0, 1, 1, 1], 1,
                    UnsafeMutableRawPointer(scratch.floats).assumingMemoryBound(to: Double.self), g.floats, &figures)
                // Cross-entropy (ln 2 + ln 2 + 1000 + 0) / 4; Dice of (0.5, 0.5, 1, 0) and its complement.
                let dice = 1 - (2 * 0.5 / (2.0 + 1) + 2 * 1.5 / (2.0 + 3)) / 2
                #expect(abs(figures.loss - (2 * 0.6931471805599453 + 1000) / 4 - dice) < 1e-3, "\(variant)")
                #expect(g.array.allSatisfy { $0.isFinite }, "\(variant)")
            }
        }
    }
}
