import Numerics

/// What lies outside the grid when a filter reaches over its border.
public enum FilterBoundary: Sendable {
    /// d c b a | a b c d | d c b a: scipy's `reflect`.
    case mirror
    /// Zeros: scipy's `constant`.
    case zero
}

/// One linear step along one axis: output j is a weighted sum of neighbouring inputs.
///
/// A Gaussian narrower than `wideSigma` is one such step. A wider one is two: its values are computed only at every
/// `step`-th place (`reduce`), and read out between them with the cubic B-spline (`expand`), itself nearly a
/// Gaussian, of variance step^2 / 3, which the first step leaves out. With step <= sigma / 1.5 the pair is within 0.1%
/// of the Gaussian's peak and costs a few multiplications for any sigma.
package struct GaussianAxis {
    package static let wideSigma = 3.0

    /// Output = sum over k of weights[offset + k] * input[lower + k].
    struct Row {
        var lower: Int
        var offset: Int
        var taps: Int
    }

    package let inputCount: Int
    private(set) var rows: [Row] = []
    private(set) var weights: [Float] = []

    /// Where every output has the same `taps`: how many of them lie before its place, and what lies beyond the border
    /// (nil: the input reaches far enough). Rows of memory are then convolved as they are.
    private(set) var convolution: (taps: [Float], boundary: FilterBoundary?)?

    package var outputCount: Int { rows.count }

    static func step(forSigma sigma: Double) -> Int {
        sigma < wideSigma ? 1 : max(2, Int(sigma / 2))
    }

    private init(inputCount: Int) { self.inputCount = inputCount }

    /// Gaussian of `sigma` voxels, sampled at the voxels, cut at `truncate` sigmas and normalised, as scipy does.
    package static func direct(count: Int, sigma: Double, truncate: Double, boundary: FilterBoundary) -> GaussianAxis {
        let taps = GaussianAxis.taps(sigma: sigma, radius: Int(truncate * sigma + 0.5))
        var axis = GaussianAxis(
            count: count, taps: taps, centres: stride(from: 0, to: count, by: 1), boundary: boundary)
        axis.convolution = (taps.map { Float($0) }, boundary)
        return axis
    }

    /// The same, over an input that reaches `radius` voxels beyond the output at both ends.
    package static func valid(outputCount: Int, sigma: Double, radius: Int) -> GaussianAxis {
        let taps = GaussianAxis.taps(sigma: sigma, radius: radius), count = outputCount + 2 * radius
        var axis = GaussianAxis(
            count: count, taps: taps, centres: stride(from: radius, to: count - radius, by: 1), boundary: .zero)
        axis.convolution = (taps.map { Float($0) }, nil)
        return axis
    }

    /// Values at the nodes -1, 0, 1 ... of a lattice of `step` voxels, node k at voxel k * step.
    static func reduce(count: Int, sigma: Double, step: Int, boundary: FilterBoundary) -> GaussianAxis {
        let narrower = (sigma * sigma - Double(step * step) / 3).squareRoot()
        let taps = GaussianAxis.taps(sigma: narrower, radius: Int(4 * sigma + 0.5))
        let end = (nodeCount(count: count, step: step) - 1) * step
        return GaussianAxis(count: count, taps: taps, centres: stride(from: -step, to: end, by: step),
                            boundary: boundary)
    }

    /// Nodes of the lattice of `step` voxels that `count` voxels are read from. A voxel on a node has four weights as
    /// well, the last of them 0: its node must exist, for 0 times what lies beyond a buffer may be NaN.
    package static func nodeCount(count: Int, step: Int) -> Int {
        step == 1 ? count : (count - 1) / step + 4
    }

    /// From nodes -1, 0, 1 ... back to `count` voxels.
    package static func expand(count: Int, step: Int) -> GaussianAxis {
        var axis = GaussianAxis(inputCount: nodeCount(count: count, step: step))
        for phase in 0..<step {
            axis.weights += cubicSpline(at: Double(phase) / Double(step)).map { Float($0) }
        }
        axis.rows = (0..<count).map { Row(lower: $0 / step, offset: 4 * ($0 % step), taps: 4) }
        return axis
    }

    /// Weights of the four nodes around a point `fraction` of the way from the second to the third.
    package static func cubicSpline(at fraction: Double) -> [Double] {
        let f = fraction, g = 1 - f
        return [
            g * g * g / 6, (3 * f * f * f - 6 * f * f + 4) / 6, (3 * g * g * g - 6 * g * g + 4) / 6, f * f * f / 6,
        ]
    }

    private static func taps(sigma: Double, radius: Int) -> [Double] {
        let values = (-radius...radius).map { Portable.exp(-0.5 * Double($0 * $0) / (sigma * sigma)) }
        let sum = values.reduce(0, +)
        return values.map { $0 / sum }
    }

    /// The taps around every centre; rows that reach over the border get weights of their own.
    private init(count: Int, taps: [Double], centres: StrideTo<Int>, boundary: FilterBoundary) {
        inputCount = count
        weights = taps.map { Float($0) }
        let radius = taps.count / 2
        for centre in centres {
            if centre - radius >= 0 && centre + radius < count {
                rows.append(Row(lower: centre - radius, offset: 0, taps: taps.count))
            } else {
                let (lower, folded) = Self.folded(taps: taps, centre: centre, count: count, boundary: boundary)
                rows.append(Row(lower: lower, offset: weights.count, taps: folded.count))
                weights += folded.map { Float($0) }
            }
        }
    }

    /// The taps around `centre` with what lies outside 0 ..< count folded back or dropped.
    private static func folded(
        taps: [Double], centre: Int, count: Int, boundary: FilterBoundary
    ) -> (lower: Int, weights: [Double]) {
        let radius = taps.count / 2
        var row = [Double](repeating: 0, count: count)
        for (k, weight) in taps.enumerated() {
            let place = centre - radius + k
            if place >= 0 && place < count {
                row[place] += weight
            } else if boundary == .mirror {
                let folded = ((place % (2 * count)) + 2 * count) % (2 * count)
                row[folded < count ? folded : 2 * count - 1 - folded] += weight
            }
        }
        guard let first = row.firstIndex(where: { $0 != 0 }), let last = row.lastIndex(where: { $0 != 0 }) else {
            return (0, [0])
        }
        return (first, Array(row[first...last]))
    }
}
