import Numerics

/// Which voxels count as touching.
public enum Neighbourhood: Sendable {
    /// The 6 neighbours that share a face (scipy.ndimage.label's default structure).
    case faces
    /// All 26 neighbours (a structure of 3x3x3 ones); the post-processing's choice (method.md A5).
    case full
}

/// The connected components of a mask, numbered 1, 2, ... by their first voxel in C order, as
/// `scipy.ndimage.label` numbers them.
public struct ComponentLabels: Sendable {
    public let shape: VolumeShape
    /// A label for every voxel, C order (z, y, x); 0 is background.
    public let labels: [Int32]
    /// Number of components.
    public let count: Int
    /// Size of component `label` at `[label - 1]`.
    public let voxelCounts: [Int]
    /// Box of component `label` at `[label - 1]`.
    public let boundingBoxes: [VoxelBox]
}

/// Connected components in 3D.
///
///     let components = ConnectedComponents.label(mask, neighbourhood: .full, pool: pool)
public enum ConnectedComponents {
    /// - Parameters:
    ///   - mask: one byte a voxel, C order (z, y, x); anything but 0 is foreground.
    ///   - pool: the threads to use; the answer does not depend on them.
    public static func label(
        mask: UnsafeBufferPointer<UInt8>, shape: VolumeShape, neighbourhood: Neighbourhood, pool: ThreadPool? = nil
    ) -> ComponentLabels {
        let components = RunComponents(mask: mask, shape: shape, neighbourhood: neighbourhood, pool: pool)
        return ComponentLabels(
            shape: shape, labels: components.labelVolume(pool: pool), count: components.count,
            voxelCounts: components.voxelCounts(), boundingBoxes: components.boundingBoxes())
    }

    public static func label(
        _ mask: Mask, neighbourhood: Neighbourhood, pool: ThreadPool? = nil
    ) -> ComponentLabels {
        mask.voxels.withUnsafeBufferPointer {
            label(mask: $0, shape: mask.shape, neighbourhood: neighbourhood, pool: pool)
        }
    }
}
