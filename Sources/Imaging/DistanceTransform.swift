import CKernels
import Numerics

/// Exact Euclidean distances in millimetres.
public enum DistanceTransform {
    /// Distance of every voxel's centre to the nearest set voxel's; 0 in the mask, infinity when the mask is empty.
    /// Relative error below 1e-6.
    ///
    /// `scipy.ndimage.distance_transform_edt(x)` measures the other way: from set voxels to the nearest that is not.
    public static func distanceMM(to mask: Mask, pool: ThreadPool? = nil) -> Volume<Float> {
        let shape = mask.shape, spacing = mask.geometry.spacing
        let distances = [Float](count: shape.voxelCount) { base in
            guard shape.voxelCount > 0 else { return }
            mask.voxels.withUnsafeBufferPointer { voxels in
                nonisolated(unsafe) let (voxels, base) = (voxels.baseAddress, base)
                runTasks(shape.depth, on: pool) { z in
                    quintet_distance_rows(voxels, shape.width, z * shape.height, shape.height, spacing.xMM, base)
                    spread(
                        base + z * shape.sliceVoxelCount, count: shape.height, stride: shape.width,
                        lines: shape.width, spacingMM: spacing.yMM)
                }
                runTasks(shape.height, on: pool) { y in
                    spread(
                        base + y * shape.width, count: shape.depth, stride: shape.sliceVoxelCount,
                        lines: shape.width, spacingMM: spacing.zMM)
                    for z in 0..<shape.depth {
                        let row = base + shape.index(z: z, y: y, x: 0)
                        for x in 0..<shape.width { row[x].formSquareRoot() }
                    }
                }
            }
        }
        return mask.with(distances)
    }

    private static func spread(
        _ squared: UnsafeMutablePointer<Float>, count: Int, stride: Int, lines: Int, spacingMM: Double
    ) {
        withUnsafeTemporaryAllocation(of: Double.self, capacity: 4 * count + 2) {
            quintet_distance_lines(squared, count, stride, lines, spacingMM, $0.baseAddress)
        }
    }
}
