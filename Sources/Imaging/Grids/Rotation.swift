/// The orthogonal part of an affine, in both notations of NIfTI-1. Plain double arithmetic, so that header fields and
/// voxel positions have the same bits on every machine (nifti_clib's own come out of float and of the compiler's mood).
enum Rotation {
    /// nifti1.h, method 2: row-major 3x4.
    /// - Parameters:
    ///   - quaternion: b, c, d; a follows from them.
    ///   - handedness: qfac; below 0 the third axis is mirrored.
    static func affine(quaternion: [Double], offset: [Double], spacing: [Double], handedness: Double) -> [Double] {
        var (b, c, d) = (quaternion[0], quaternion[1], quaternion[2])
        var a = 1 - (b * b + c * c + d * d)
        if a < 1e-7 {
            // Rounding has eaten a: a half turn about (b, c, d).
            let length = (b * b + c * c + d * d).squareRoot()
            (a, b, c, d) = (0, b / length, c / length, d / length)
        } else {
            a = a.squareRoot()
        }
        let z = handedness < 0 ? -spacing[2] : spacing[2]
        let (x, y) = (spacing[0], spacing[1])
        return [
            (a * a + b * b - c * c - d * d) * x, 2 * (b * c - a * d) * y, 2 * (b * d + a * c) * z, offset[0],
            2 * (b * c + a * d) * x, (a * a + c * c - b * b - d * d) * y, 2 * (c * d - a * b) * z, offset[1],
            2 * (b * d - a * c) * x, 2 * (c * d + a * b) * y, (a * a + d * d - c * c - b * b) * z, offset[2],
        ]
    }

    /// b, c, d and qfac of the rotation nearest to the affine's axes; a shear is lost (the sform keeps it).
    static func quaternion(of geometry: Geometry) -> (quaternion: [Double], handedness: Double) {
        var r = nearestOrthogonal(to: geometry)
        let handedness: Double = determinant(r) < 0 ? -1 : 1
        for row in 0..<3 { r[3 * row + 2] *= handedness }
        let trace = r[0] + r[4] + r[8]
        if trace > 0 {
            let scale = 0.5 / (1 + trace).squareRoot()
            return ([(r[7] - r[5]) * scale, (r[2] - r[6]) * scale, (r[3] - r[1]) * scale], handedness)
        }
        // The largest of b, c, d first: no division by something small.
        let i = r[0] >= r[4] && r[0] >= r[8] ? 0 : (r[4] >= r[8] ? 1 : 2)
        let (j, k) = ((i + 1) % 3, (i + 2) % 3)
        let root = max(1 + r[4 * i] - r[4 * j] - r[4 * k], 0).squareRoot()
        var vector = [0.0, 0.0, 0.0]
        vector[i] = root / 2
        vector[j] = (r[3 * i + j] + r[3 * j + i]) / (2 * root)
        vector[k] = (r[3 * i + k] + r[3 * k + i]) / (2 * root)
        let a = (r[3 * k + j] - r[3 * j + k]) / (2 * root)
        return (a < 0 ? vector.map { -$0 } : vector, handedness)
    }

    /// The orthogonal polar factor (row-major 3x3) of the affine's columns brought to length 1, by Newton's iteration
    /// X = (X + X^-T) / 2.
    static func nearestOrthogonal(to geometry: Geometry) -> [Double] {
        var x = directions(of: geometry)
        for _ in 0..<60 {
            let inverse = inverseTransposed(x)
            let next = zip(x, inverse).map { ($0 + $1) / 2 }
            let change = zip(x, next).map { abs($0 - $1) }.max()!
            x = next
            if change < 1e-15 { break }
        }
        return x
    }

    /// The affine's columns brought to length 1 (row-major 3x3).
    static func directions(of geometry: Geometry) -> [Double] {
        let spacing = geometry.spacing
        let lengths = [spacing.xMM, spacing.yMM, spacing.zMM]
        return (0..<9).map { index in
            let (row, column) = (index / 3, index % 3)
            return geometry.affine[4 * row + column] / lengths[column]
        }
    }

    static func determinant(_ m: [Double]) -> Double {
        m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6]) + m[2] * (m[3] * m[7] - m[4] * m[6])
    }

    private static func inverseTransposed(_ m: [Double]) -> [Double] {
        let d = determinant(m)
        return [
            (m[4] * m[8] - m[5] * m[7]) / d, (m[5] * m[6] - m[3] * m[8]) / d, (m[3] * m[7] - m[4] * m[6]) / d,
            (m[2] * m[7] - m[1] * m[8]) / d, (m[0] * m[8] - m[2] * m[6]) / d, (m[1] * m[6] - m[0] * m[7]) / d,
            (m[1] * m[5] - m[2] * m[4]) / d, (m[2] * m[3] - m[0] * m[5]) / d, (m[0] * m[4] - m[1] * m[3]) / d,
        ]
    }
}
