import Imaging
import Numerics

/// Where a lung mask ends: what lies there may be chest wall that the mask has taken in.
package enum LungRim {
    /// Whether a voxel of the lung shares a face with what is none, or with the scan's end.
    static func isOnRim(
        _ x: Int, _ y: Int, _ z: Int, _ lung: UnsafeBufferPointer<UInt8>, _ shape: VolumeShape
    ) -> Bool {
        guard x > 0, y > 0, z > 0, x + 1 < shape.width, y + 1 < shape.height, z + 1 < shape.depth else { return true }
        let index = shape.index(z: z, y: y, x: x), row = shape.width, plane = shape.sliceVoxelCount
        return lung[index - 1] == 0 || lung[index + 1] == 0 || lung[index - row] == 0 || lung[index + row] == 0
            || lung[index - plane] == 0 || lung[index + plane] == 0
    }

    /// A lesion that is mostly rim is as thin as a sheet.
    /// - Parameter voxelCount: the lesion's.
    package static func warnings(_ lesion: Mask, lung: Mask, voxelCount: Int) -> [String] {
        guard voxelCount > 0 else { return [] }
        var onRim = 0
        let shape = lesion.shape
        lung.voxels.withUnsafeBufferPointer { lung in
            lesion.voxels.withUnsafeBufferPointer { lesion in
                for z in 0..<shape.depth {
                    for y in 0..<shape.height {
                        let start = shape.index(z: z, y: y, x: 0)
                        lesion.forEachRun(in: start..<start + shape.width) { run in
                            for index in run where isOnRim(index - start, y, z, lung, shape) { onRim += 1 }
                        }
                    }
                }
            }
        }
        guard 2 * onRim > voxelCount else { return [] }
        return ["\(100 * onRim / voxelCount)% of the lesion touches the rim of the lung mask: it may be chest wall "
            + "that the mask has taken in; look at it"]
    }
}
