import Imaging
import Numerics

/// The lungs in six: left and right as `LungSides` tells them apart, and thirds of equal height between the lungs'
/// highest and lowest slice, across the stored axis that is nearest to the patient's own.
package struct LungRegions {
    /// Voxels of a mask, left and right: in the upper, the middle and the lower third.
    package struct Counts: Equatable {
        package var left = [0, 0, 0]
        package var right = [0, 0, 0]

        package var all: Int { left.reduce(0, +) + right.reduce(0, +) }
    }

    /// Of the stored axes (0 x, 1 y, 2 z).
    private let sideAxis: Int
    private let heightAxis: Int
    /// By the index on their axis. Third 0 is the upper one.
    private let isRight: [Bool]
    private let third: [UInt8]

    package init(lung: Mask) {
        let sides = LungSides(lung: lung), shape = lung.shape
        let lengths = [shape.width, shape.height, shape.depth]
        sideAxis = sides.axis
        isRight = (0..<lengths[sides.axis]).map(sides.isRight)
        let toHead = (0..<3).map { lung.geometry.affine[8 + $0] }
        let axis = (0..<3).filter { $0 != sides.axis }.max { abs(toHead[$0]) < abs(toHead[$1]) }!
        heightAxis = axis
        let profile = lung.setCounts()[axis], isUpward = toHead[axis] > 0
        let first = profile.firstIndex { $0 > 0 } ?? 0, last = profile.lastIndex { $0 > 0 } ?? 0
        third = (0..<lengths[axis]).map { index in
            let fromBelow = 3 * (min(max(index, first), last) - first) / (last - first + 1)
            return UInt8(isUpward ? 2 - fromBelow : fromBelow)
        }
    }

    package func region(_ x: Int, _ y: Int, _ z: Int) -> (isRight: Bool, third: Int) {
        let place = bucket(x, y, z)
        return (place >= 3, place % 3)
    }

    package func counts(_ mask: Mask) -> Counts {
        // By side and third.
        var all = [Int](repeating: 0, count: 6)
        let shape = mask.shape
        mask.voxels.withUnsafeBufferPointer { voxels in
            for z in 0..<shape.depth {
                for y in 0..<shape.height {
                    let start = shape.index(z: z, y: y, x: 0)
                    voxels.forEachRun(in: start..<start + shape.width) { run in
                        if sideAxis != 0, heightAxis != 0 {
                            all[bucket(0, y, z)] += run.count
                        } else {
                            for index in run { all[bucket(index - start, y, z)] += 1 }
                        }
                    }
                }
            }
        }
        return Counts(left: Array(all[0..<3]), right: Array(all[3..<6]))
    }

    @inline(__always)
    private func bucket(_ x: Int, _ y: Int, _ z: Int) -> Int {
        let side = sideAxis == 0 ? x : sideAxis == 1 ? y : z, height = heightAxis == 0 ? x : heightAxis == 1 ? y : z
        return (isRight[side] ? 3 : 0) + Int(third[height])
    }
}
