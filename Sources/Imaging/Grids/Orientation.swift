/// Which way the axes of a stored volume run in the patient: "RAS" says that x grows to the patient's right, y to
/// anterior, z to superior. Oblique grids count as their nearest upright one.
public struct Orientation: Hashable, Sendable, Codable, CustomStringConvertible {
    /// One stored axis: the patient's axis it runs along (0 right-left, 1 anterior-posterior, 2 superior-inferior)
    /// and whether it runs towards left, posterior or inferior.
    struct Axis: Hashable, Sendable {
        var patientAxis: Int
        var isReversed: Bool
    }

    /// Of the stored x, y, z.
    let axes: [Axis]

    /// RAS: the canonical order.
    public static let canonical = Orientation(code: "RAS")!

    /// - Parameter code: three letters for the stored x, y, z, of R or L, A or P, S or I, each axis once.
    public init?(code: String) {
        let letters: [Character: Axis] = [
            "R": Axis(patientAxis: 0, isReversed: false), "L": Axis(patientAxis: 0, isReversed: true),
            "A": Axis(patientAxis: 1, isReversed: false), "P": Axis(patientAxis: 1, isReversed: true),
            "S": Axis(patientAxis: 2, isReversed: false), "I": Axis(patientAxis: 2, isReversed: true),
        ]
        axes = code.compactMap { letters[$0] }
        guard code.count == 3, axes.count == 3, Set(axes.map(\.patientAxis)).count == 3 else { return nil }
    }

    /// The nearest upright orientation of a grid, as nibabel's `io_orientation`: the orthogonal part of the affine,
    /// strongest axis first, each takes the patient's axis it changes most.
    public init(nearestTo geometry: Geometry) {
        let rotation = Rotation.nearestOrthogonal(to: geometry)
        let strength = (0..<3).map { column in (0..<3).map { abs(rotation[3 * $0 + column]) }.max()! }
        var found = [Axis?](repeating: nil, count: 3)
        var free = [0, 1, 2]
        for column in (0..<3).sorted(by: { (strength[$1], $0) < (strength[$0], $1) }) {
            var best = free[0]
            for row in free where abs(rotation[3 * row + column]) > abs(rotation[3 * best + column]) { best = row }
            free.removeAll { $0 == best }
            found[column] = Axis(patientAxis: best, isReversed: rotation[3 * best + column] < 0)
        }
        axes = found.map { $0! }
    }

    /// As its three letters.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let orientation = Orientation(code: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no orientation")
        }
        self = orientation
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String {
        axes.map { ["RL", "AP", "SI"][$0.patientAxis] }.enumerated().map { index, pair in
            String(axes[index].isReversed ? pair.last! : pair.first!)
        }.joined()
    }
}

extension Volume {
    /// The same voxels in RAS order (nibabel's `as_closest_canonical`).
    @inlinable public func canonical() -> Volume {
        reoriented(from: Orientation(nearestTo: geometry), to: .canonical)
    }

    /// Axes permuted and flipped, values untouched; the geometry moves along.
    /// - Parameter current: this volume's orientation. Hand over what was found when the file was read: on an oblique
    ///   grid the way back must be the way there, reversed.
    @inlinable public func reoriented(from current: Orientation, to wanted: Orientation) -> Volume {
        let moves = AxisMoves(from: current, to: wanted)
        let (newShape, newGeometry) = moves.apply(shape, geometry)
        if moves.isIdentity { return self }
        let stride = moves.strides(in: shape)
        let moved = [Element](count: newShape.voxelCount) { target in
            voxels.withUnsafeBufferPointer { source in
                var next = target
                for z in 0 ..< newShape.depth {
                    for y in 0 ..< newShape.height {
                        let from = source.baseAddress! + (stride.start + z * stride.z + y * stride.y)
                        switch stride.x {
                        case 1: next.initialize(from: from, count: newShape.width)
                        // Of its own, so that it is compiled to turn several at a time.
                        case -1: for x in 0 ..< newShape.width { (next + x).initialize(to: from[-x]) }
                        default: for x in 0 ..< newShape.width { (next + x).initialize(to: from[x * stride.x]) }
                        }
                        next += newShape.width
                    }
                }
            }
        }
        return Volume(shape: newShape, geometry: newGeometry, voxels: moved)
    }
}

/// For each axis of the wanted order: the current axis it comes from, and whether it is read backwards.
@usableFromInline struct AxisMoves {
    /// Of the wanted x, y, z.
    var moves: [(axis: Int, isFlipped: Bool)]

    @usableFromInline init(from current: Orientation, to wanted: Orientation) {
        moves = wanted.axes.map { target in
            let axis = current.axes.firstIndex { $0.patientAxis == target.patientAxis }!
            return (axis, current.axes[axis].isReversed != target.isReversed)
        }
    }

    @usableFromInline var isIdentity: Bool { moves.enumerated().allSatisfy { $1.axis == $0 && !$1.isFlipped } }

    @usableFromInline func apply(_ shape: VolumeShape, _ geometry: Geometry) -> (VolumeShape, Geometry) {
        let sizes = [shape.width, shape.height, shape.depth]
        var affine = geometry.affine
        for row in 0..<3 {
            for (column, move) in moves.enumerated() {
                let step = geometry.affine[4 * row + move.axis]
                affine[4 * row + column] = move.isFlipped ? -step : step
                if move.isFlipped { affine[4 * row + 3] += step * Double(sizes[move.axis] - 1) }
            }
        }
        let newShape = VolumeShape(
            depth: sizes[moves[2].axis], height: sizes[moves[1].axis], width: sizes[moves[0].axis])
        return (newShape, Geometry(affine: affine))
    }

    @usableFromInline func strides(in shape: VolumeShape) -> (start: Int, z: Int, y: Int, x: Int) {
        let sizes = [shape.width, shape.height, shape.depth]
        let steps = [1, shape.width, shape.sliceVoxelCount]
        let start = moves.reduce(0) { $0 + ($1.isFlipped ? steps[$1.axis] * (sizes[$1.axis] - 1) : 0) }
        let signed = moves.map { $0.isFlipped ? -steps[$0.axis] : steps[$0.axis] }
        return (start, signed[2], signed[1], signed[0])
    }
}
