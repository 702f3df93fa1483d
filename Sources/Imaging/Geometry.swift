import Glibc

/// Where a voxel grid lies in the patient: an affine from voxel indexes (x, y, z) to millimetres in RAS+
/// (x grows to the patient's right, y to anterior, z to superior).
public struct Geometry: Hashable, Sendable, Codable {
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

    /// Stored or sent geometries are checked like any number from outside.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let affine = try container.decode([Double].self, forKey: .affine)
        guard affine.count == 12, (try? Geometry(checking: affine, name: "")) != nil else {
            throw DecodingError.dataCorruptedError(
                forKey: .affine, in: container, debugDescription: "no usable affine of 12 numbers")
        }
        self.init(affine: affine)
    }

    /// Length of a voxel's edges: the norms of the affine's columns.
    public var spacing: Spacing {
        func norm(_ column: Int) -> Double {
            let (a, b, c) = (affine[column], affine[4 + column], affine[8 + column])
            return (a * a + b * b + c * c).squareRoot()
        }
        return Spacing(zMM: norm(2), yMM: norm(1), xMM: norm(0))
    }

    /// Edges of the upright box that a voxel is worth. Where the axes are at right angles these are `spacing`'s very
    /// numbers. Where they are not (a gantry's tilt that was left in the affine), the slanted edges are longer than
    /// rows and slices are apart: x is as it is, y the distance of rows, z the distance of slices.
    public var boxSpacing: Spacing {
        let edges = spacing
        let shear = abs(Rotation.determinant(Rotation.directions(of: self)))
        guard shear < 1 - Self.squarenessTolerance else { return edges }
        func column(_ index: Int) -> (Double, Double, Double) {
            (affine[index], affine[4 + index], affine[8 + index])
        }
        let (x, y) = (column(0), column(1))
        let (a, b, c) = (x.1 * y.2 - x.2 * y.1, x.2 * y.0 - x.0 * y.2, x.0 * y.1 - x.1 * y.0)
        let area = (a * a + b * b + c * c).squareRoot()
        let volume = shear * edges.zMM * edges.yMM * edges.xMM
        return Spacing(zMM: volume / area, yMM: area / edges.xMM, xMM: edges.xMM)
    }

    /// Volume of a voxel in millilitres: the affine's determinant, which for axes at right angles is the product of the
    /// voxel's edges.
    public var voxelML: Double { boxSpacing.voxelML }

    /// How far the axes are from right angles: 0 for a box, a gantry's tilt where that was left in the affine.
    var shearDegrees: Double {
        acos(min(1, abs(Rotation.determinant(Rotation.directions(of: self))))) * 180 / .pi
    }

    /// A sentence where the tilt is more than rounding or a registration's.
    var shearWarnings: [String] {
        guard shearDegrees > 1 else { return [] }
        let degrees = (shearDegrees * 10).rounded() / 10
        return [
            "Its axes are \(degrees) degrees from right angles (a gantry's tilt left in the file): volumes go by the "
                + "distance of slices, and programs that know no shear place it elsewhere; resample it upright.",
        ]
    }

    /// What an affine's storage as 32-bit floats makes of right angles is below this.
    private static let squarenessTolerance = 1e-6

    /// Where a point of the grid lies: (right, anterior, superior) in millimetres. Voxel centres have whole indexes.
    public func positionMM(z: Double, y: Double, x: Double) -> (right: Double, anterior: Double, superior: Double) {
        func row(_ r: Int) -> Double {
            affine[4 * r] * x + affine[4 * r + 1] * y + affine[4 * r + 2] * z + affine[4 * r + 3]
        }
        return (row(0), row(1), row(2))
    }

    /// The grid whose voxel (z, y, x) lies where this one's (originZ + z * stepZ, ...) lies.
    func stepped(origin: (z: Double, y: Double, x: Double), step: (z: Double, y: Double, x: Double)) -> Geometry {
        var result = affine
        let corner = positionMM(z: origin.z, y: origin.y, x: origin.x)
        for (row, position) in [corner.right, corner.anterior, corner.superior].enumerated() {
            result[4 * row] *= step.x
            result[4 * row + 1] *= step.y
            result[4 * row + 2] *= step.z
            result[4 * row + 3] = position
        }
        return Geometry(affine: result)
    }

    /// An affine from a file.
    /// - Throws: `ImageFileError` when it is not finite, has a voxel size outside `ImageLimits.spacingMM`, lies
    ///   outside `ImageLimits.offsetMM` (what is finite as Double may be infinite in a file's Float) or is (nearly)
    ///   singular.
    init(checking affine: [Double], name: String) throws(ImageFileError) {
        self.init(affine: affine)
        let size = spacing
        let lengths = [size.xMM, size.yMM, size.zMM]
        guard affine.allSatisfy(\.isFinite), lengths.allSatisfy(ImageLimits.spacingMM.contains) else {
            throw .damaged(name, "its voxel size is \(lengths[0]) x \(lengths[1]) x \(lengths[2]) mm")
        }
        let offset = [affine[3], affine[7], affine[11]]
        guard offset.allSatisfy(ImageLimits.offsetMM.contains) else {
            throw .damaged(name, "its origin lies at \(offset[0]), \(offset[1]), \(offset[2]) mm")
        }
        // 1 for a box, 0 for voxels squashed flat; a CT's gantry tilt of 30 degrees gives 0.87.
        let squareness = Rotation.determinant(Rotation.directions(of: self))
        guard abs(squareness) > 0.01 else {
            throw .damaged(name, "its orientation is singular: two axes run along each other")
        }
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

    /// "0.8 x 0.8 x 1 mm", in the order people say it: x, y, z.
    public var text: String { "\(xMM) x \(yMM) x \(zMM) mm" }

    /// Volume of a voxel in millilitres.
    public var voxelML: Double { zMM * yMM * xMM / 1000 }
}
