/// Where a voxel grid lies in the patient: an affine from voxel indexes (x, y, z) to millimetres in RAS+
/// (x grows to the patient's right, y to anterior, z to superior).
public struct Geometry: Hashable, Sendable {
    /// Row-major 3x4: millimetres = matrix[0..<3][0..<3] * (x, y, z) + matrix[0..<3][3].
    public var affine: [Double]

    /// - Parameter affine: 12 numbers, row-major 3x4.
    public init(affine: [Double]) {
        precondition(affine.count == 12)
        self.affine = affine
    }

    /// A grid along the patient's axes with its first voxel at the origin.
    public init(spacing: Spacing) {
        self.init(affine: [spacing.xMM, 0, 0, 0, 0, spacing.yMM, 0, 0, 0, 0, spacing.zMM, 0])
    }

    /// Length of a voxel's edges: the norms of the affine's columns.
    public var spacing: Spacing {
        func norm(_ column: Int) -> Double {
            let (a, b, c) = (affine[column], affine[4 + column], affine[8 + column])
            return (a * a + b * b + c * c).squareRoot()
        }
        return Spacing(zMM: norm(2), yMM: norm(1), xMM: norm(0))
    }
}

/// Distance of neighbouring voxel centres in millimetres.
public struct Spacing: Hashable, Sendable, Codable {
    public var zMM: Double
    public var yMM: Double
    public var xMM: Double

    public init(zMM: Double, yMM: Double, xMM: Double) {
        self.zMM = zMM
        self.yMM = yMM
        self.xMM = xMM
    }

    /// Volume of a voxel in millilitres.
    public var voxelML: Double { zMM * yMM * xMM / 1000 }
}
