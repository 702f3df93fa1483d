import Numerics

/// What lies outside the grid when a filter reaches over its border.
public enum FilterBoundary: Sendable {
    /// d c b a | a b c d | d c b a: scipy's `reflect`.
    case mirror
    /// Zeros: scipy's `constant`.
    case zero
}

/// One linear step along one axis: output j is a weighted sum of the inputs lower[j] ..< lower[j] + taps(j).
///
/// A Gaussian narrower than `wideSigma` is one such step. A wider one is two: its values are computed only at every
/// `step`-th place (`reduce`), and read out between them with the cubic B-spline (`expand`), itself nearly a
/// Gaussian, of variance step^2 / 3, which the first step leaves out. With step <= sigma / 1.5 the pair is within 0.1%
/// of the Gaussian's peak and costs a few multiplications for any sigma.
struct GaussianAxis {
    static let wideSigma = 3.0

    let inputCount: Int
    let outputCount: Int
    /// First input of every output.
    private(set) var lower: [Int]
    /// Where every output's weights begin in `weights`; one more than outputs.
    private(set) var offsets: [Int]
    private(set) var weights: [Float]

    static func step(forSigma sigma: Double) -> Int {
        sigma < wideSigma ? 1 : max(2, Int(sigma / 2))
    }

    private init(inputCount: Int, rows: [(lower: Int, weights: [Double])]) {
        self.inputCount = inputCount
        outputCount = rows.count
        lower = rows.map(\.lower)
        offsets = [0]
        weights = []
        for row in rows {
            weights += row.weights.map { Float($0) }
            offsets.append(weights.count)
        }
    }

    /// Gaussian of `sigma` voxels, sampled at the voxels, cut at `truncate` sigmas and normalised, as scipy does.
    static func direct(count: Int, sigma: Double, truncate: Double, boundary: FilterBoundary) -> GaussianAxis {
        let taps = GaussianAxis.taps(sigma: sigma, radius: Int(truncate * sigma + 0.5))
        return GaussianAxis(inputCount: count, rows: (0..<count).map {
            folded(taps: taps, centre: $0, count: count, boundary: boundary)
        })
    }

    /// Values at the nodes -1, 0, 1 ... of a lattice of `step` voxels, node k at voxel k * step.
    static func reduce(count: Int, sigma: Double, step: Int, boundary: FilterBoundary) -> GaussianAxis {
        let narrower = (sigma * sigma - Double(step * step) / 3).squareRoot()
        let taps = GaussianAxis.taps(sigma: narrower, radius: Int(4 * sigma + 0.5))
        let last = (count - 1 + step - 1) / step + 1
        return GaussianAxis(inputCount: count, rows: (-1...last).map {
            folded(taps: taps, centre: $0 * step, count: count, boundary: boundary)
        })
    }

    /// From nodes -1, 0, 1 ... back to `count` voxels.
    static func expand(count: Int, step: Int) -> GaussianAxis {
        let nodes = (count - 1 + step - 1) / step + 3
        return GaussianAxis(inputCount: nodes, rows: (0..<count).map { voxel in
            (voxel / step, cubicSpline(at: Double(voxel % step) / Double(step)))
        })
    }

    /// Weights of the four nodes around a point `fraction` of the way from the second to the third.
    static func cubicSpline(at fraction: Double) -> [Double] {
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

    /// The taps around `centre` with what lies outside 0 ..< count folded back or dropped.
    private static func folded(
        taps: [Double], centre: Int, count: Int, boundary: FilterBoundary
    ) -> (lower: Int, weights: [Double]) {
        let radius = taps.count / 2
        if centre - radius >= 0 && centre + radius < count { return (centre - radius, taps) }
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
