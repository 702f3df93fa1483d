/// A slice inside of a scan that holds one value only was lost and filled with it: measured ones have noise.
extension Volume<Float> {
    /// Indices along an axis (0 x, 1 y, 2 z) of the planes of one value.
    package func planesOfOneValue(acrossAxis axis: Int) -> [Int] {
        let range: WritableKeyPath<VoxelBox, Range<Int>> = [\.x, \.y, \.z][axis]
        return shape.box[keyPath: range].filter { index in
            var plane = shape.box
            plane[keyPath: range] = index..<index + 1
            return isOneValue(in: plane)
        }
    }

    /// Is it padding by its values: one within half a unit?
    func isOneValue(in box: VoxelBox) -> Bool {
        let value = self[box.z.lowerBound, box.y.lowerBound, box.x.lowerBound]
        return shape.rows(of: box).allSatisfy { row in voxels[row].allSatisfy { abs($0 - value) < 0.5 } }
    }

    /// With the mean of the nearest slices above and below, weighted by their distances, in place of each slice of
    /// one value between others: lungs are where they are above and below.
    func missingSlicesFilled() -> Volume {
        let missing = Set(planesOfOneValue(acrossAxis: 2))
        let present = (0..<shape.depth).filter { !missing.contains($0) }
        guard !missing.isEmpty, !present.isEmpty else { return self }
        var filled = self
        let size = shape.sliceVoxelCount
        for (below, above) in zip(present, present.dropFirst()) where above > below + 1 {
            for z in below + 1..<above {
                let weight = Float(z - below) / Float(above - below)
                for index in 0..<size {
                    filled.voxels[z * size + index] = voxels[below * size + index] * (1 - weight)
                        + voxels[above * size + index] * weight
                }
            }
        }
        return filled
    }
}

extension VolumeShape {
    /// Where the voxels of a box lie, row for row.
    func rows(of box: VoxelBox) -> some Sequence<Range<Int>> {
        box.z.lazy.flatMap { z in
            box.y.lazy.map { y in index(z: z, y: y, x: box.x.lowerBound) ..< index(z: z, y: y, x: box.x.upperBound) }
        }
    }
}
