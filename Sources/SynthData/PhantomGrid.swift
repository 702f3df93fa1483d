import Imaging

/// The voxels of a made-up patient: x and y are counted from the middle of the plane, z from the first slice.
struct PhantomGrid {
    let shape: VolumeShape
    let spacing: Spacing

    /// A voxel's centre.
    func position(z: Int, y: Int, x: Int) -> PatientPoint {
        PatientPoint((Float(x) - Float(shape.width - 1) / 2) * Float(spacing.xMM),
                     (Float(y) - Float(shape.height - 1) / 2) * Float(spacing.yMM), Float(z) * Float(spacing.zMM))
    }

    /// The voxels whose centres lie within `reach` mm of the box between two corners, cut to the grid.
    func box(_ low: PatientPoint, _ high: PatientPoint, reach: Float) -> VoxelBox {
        let origin = position(z: 0, y: 0, x: 0)
        func range(_ low: Float, _ high: Float, _ origin: Float, _ step: Double, _ count: Int) -> Range<Int> {
            let first = min(max(Int(((low - reach - origin) / Float(step)).rounded(.up)), 0), count)
            let last = max(Int(((high + reach - origin) / Float(step)).rounded(.down)), -1)
            return first..<min(max(last + 1, first), count)
        }
        return VoxelBox(z: range(low.z, high.z, origin.z, spacing.zMM, shape.depth),
                        y: range(low.y, high.y, origin.y, spacing.yMM, shape.height),
                        x: range(low.x, high.x, origin.x, spacing.xMM, shape.width))
    }

    /// The affine that puts the middle of the plane at right = anterior = 0.
    var geometry: Geometry {
        Geometry(affine: [
            spacing.xMM, 0, 0, -spacing.xMM * Double(shape.width - 1) / 2,
            0, spacing.yMM, 0, -spacing.yMM * Double(shape.height - 1) / 2,
            0, 0, spacing.zMM, 0,
        ])
    }
}
