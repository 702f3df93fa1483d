import Numerics

/// From a file's grid to the grid that is computed on, and back: RAS order, another spacing, a window in the plane.
/// Knows everything needed for the way back, is small and can be stored.
///
///     var plan = try ResamplingPlan(source: image.source, spacing: Spacing(zMM: 2, yMM: 1.6, xMM: 1.6))
///     let lung = plan.mask(lungInFileOrder, pool: pool)
///     plan.window = PlaneWindow(centredOn: lung.boundingBox()!, height: 256, width: 256)
///     let small = plan.cut(plan.image(image.volume, pool: pool), fill: 0)
///     let answer = plan.back(maskOnTheSmallGrid, pool: pool)   // the file's own shape, order and affine
public struct ResamplingPlan: Hashable, Sendable, Codable {
    /// The file's grid, in the file's order.
    public let sourceShape: VolumeShape
    public let sourceGeometry: Geometry
    public let orientation: Orientation
    /// From the file's grid in RAS order to the wanted spacing.
    public let mapping: GridMapping
    /// Applied by `cut`, undone by `back`.
    public var window: PlaneWindow?

    /// - Throws: `ImageFileError` when the wanted grid would have more voxels than `ImageLimits` allows.
    public init(source: ImageSource, spacing: Spacing) throws(ImageFileError) {
        (sourceShape, sourceGeometry, orientation) = (source.shape, source.geometry, source.orientation)
        let (shape, geometry) = AxisMoves(from: orientation, to: .canonical).apply(sourceShape, sourceGeometry)
        // Across sheared slices, not along their slanted edge: as far apart as they are.
        let from = geometry.boxSpacing
        // In Double first: a thin file and a fine grid may exceed what an Int holds. Each axis keeps one voxel, however
        // thin it is.
        let count = max(1, Double(shape.depth) * from.zMM / spacing.zMM)
            * max(1, Double(shape.height) * from.yMM / spacing.yMM)
            * max(1, Double(shape.width) * from.xMM / spacing.xMM)
        guard count < Double(ImageLimits.voxelCountMax) else {
            throw ImageFileError(
                source.name, .limit, "would have \(count.rounded()) voxels on the wanted grid",
                remedy: "crop it, or prepare it with a coarser preset")
        }
        mapping = GridMapping(sourceShape: shape, sourceSpacing: from, to: spacing)
    }

    /// To axial slices of `planeHeight` x `planeWidth` voxels that cover the file's whole plane, as many slices as the
    /// file has.
    /// - Throws: `ImageFileError` when that would have more voxels than `ImageLimits` allows.
    public init(source: ImageSource, planeHeight: Int, planeWidth: Int) throws(ImageFileError) {
        precondition(planeHeight > 0 && planeWidth > 0, "a plane has a voxel at least")
        let (shape, geometry) = AxisMoves(from: source.orientation, to: .canonical).apply(source.shape, source.geometry)
        let from = geometry.boxSpacing
        try self.init(source: source, spacing: Spacing(
            zMM: from.zMM, yMM: from.yMM * Double(shape.height) / Double(planeHeight),
            xMM: from.xMM * Double(shape.width) / Double(planeWidth)))
        precondition(gridShape == VolumeShape(depth: shape.depth, height: planeHeight, width: planeWidth))
    }

    /// Stored or sent plans are checked like any number from outside: `back` relies on what they say.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        sourceShape = try container.decode(VolumeShape.self, forKey: .sourceShape)
        sourceGeometry = try container.decode(Geometry.self, forKey: .sourceGeometry)
        orientation = try container.decode(Orientation.self, forKey: .orientation)
        mapping = try container.decode(GridMapping.self, forKey: .mapping)
        window = try container.decodeIfPresent(PlaneWindow.self, forKey: .window)
        let upright = AxisMoves(from: orientation, to: .canonical).apply(sourceShape, sourceGeometry).0
        guard upright == mapping.sourceShape else {
            throw DecodingError.dataCorruptedError(
                forKey: .mapping, in: container, debugDescription: "the grids of the plan do not fit each other")
        }
    }

    /// The whole resampled grid, before the window.
    public var gridShape: VolumeShape { mapping.targetShape }

    /// After the window.
    public var preparedShape: VolumeShape {
        guard let window else { return gridShape }
        return VolumeShape(depth: gridShape.depth, height: window.height, width: window.width)
    }

    /// File order to the whole resampled grid, trilinear, averaged where that is coarser.
    public func image(_ volume: Volume<Float>, isAveraging: Bool = true, pool: ThreadPool) -> Volume<Float> {
        precondition(volume.shape == sourceShape)
        return mapping.linear(
            volume.reoriented(from: orientation, to: .canonical), isAveraging: isAveraging, pool: pool)
    }

    /// File order to the whole resampled grid, nearest.
    public func mask(_ mask: Mask, pool: ThreadPool) -> Mask {
        precondition(mask.shape == sourceShape)
        return mapping.nearest(mask.reoriented(from: orientation, to: .canonical), pool: pool)
    }

    /// The window of the resampled grid; everything when there is none.
    public func cut<Element>(_ volume: Volume<Element>, fill: Element) -> Volume<Element> {
        precondition(volume.shape == gridShape)
        return window?.cut(volume, fill: fill) ?? volume
    }

    /// A mask of `preparedShape` on the file's own grid: shape, order and affine are the file's, each voxel takes the
    /// nearest prepared voxel, 0 outside the window.
    public func back(_ mask: Mask, pool: ThreadPool) -> Mask {
        precondition(mask.shape == preparedShape, "a mask of \(mask.shape) is not one of \(preparedShape)")
        let whole = window?.restore(
            mask, planeHeight: gridShape.height, planeWidth: gridShape.width, fill: 0) ?? mask
        var answer = mapping.reversed.nearest(whole, pool: pool).reoriented(from: .canonical, to: orientation)
        precondition(answer.shape == sourceShape)
        // Not recomputed: the very numbers that were read.
        answer.geometry = sourceGeometry
        return answer
    }
}
