import Imaging
import Numerics

/// What lies inside a lung mask and right beside it: the figures by which a mask that is none, or another patient's,
/// and a CT that is not in HU are told from lungs. docs/METHOD.md holds what was measured.
package struct LungContent: Equatable {
    /// Air, and lung that holds air.
    static let airHU: Float = -500
    /// Soft tissue, consolidated lung, vessels.
    static let tissueHU: Float = -200
    /// Bone, and vessels full of contrast medium.
    static let boneHU: Float = 300
    /// How far beyond the rim it is looked for air: past the voxels that both share.
    static let besideMM = 3.0

    package let volumeML: Double
    package let medianHU: Float
    package let airShare: Double
    package let tissueShare: Double
    package let boneShare: Double
    /// Share of air among the voxels `besideMM` outside of the rim, along the rows of all three axes.
    package let airBesideShare: Double

    /// - Parameter mask: on the CT's grid, with at least one voxel inside.
    package init(_ ct: Volume<Float>, mask: Mask, pool: ThreadPool) {
        let tallies = Self.tallies(ct, mask, pool: pool)
        let sum = tallies.reduce(into: Tally()) { $0.add($1) }
        let count = Double(max(sum.inside, 1))
        volumeML = Double(sum.inside) * ct.geometry.voxelML
        (airShare, tissueShare, boneShare) =
            (Double(sum.air) / count, Double(sum.tissue) / count, Double(sum.bone) / count)
        airBesideShare = sum.beside > 0 ? Double(sum.airBeside) / Double(sum.beside) : 0
        medianHU = Self.median(ct, mask, least: sum.least, most: sum.most)
    }

    private struct Tally {
        var inside = 0, air = 0, tissue = 0, bone = 0, beside = 0, airBeside = 0
        var least = Float.infinity, most = -Float.infinity

        mutating func add(_ other: Tally) {
            (inside, air, tissue) = (inside + other.inside, air + other.air, tissue + other.tissue)
            (bone, beside, airBeside) = (bone + other.bone, beside + other.beside, airBeside + other.airBeside)
            (least, most) = (min(least, other.least), max(most, other.most))
        }

        mutating func count(_ value: Float) {
            inside += 1
            if value < LungContent.airHU { air += 1 }
            if value > LungContent.tissueHU { tissue += 1 }
            if value > LungContent.boneHU { bone += 1 }
            guard value.isFinite else { return }
            least = min(least, value)
            most = max(most, value)
        }

        /// Where the mask ends here, whether there is air a little further on.
        mutating func look(beside index: Int, at place: Int, _ row: Row, _ ct: Volume<Float>, _ mask: Mask) {
            var sign = -1
            while sign <= 1 {
                defer { sign += 2 }
                guard (0..<row.length).contains(place + sign * row.steps) else { continue }
                let far = index + sign * row.steps * row.stride
                guard mask.voxels[index + sign * row.stride] == 0, mask.voxels[far] == 0 else { continue }
                beside += 1
                if ct.voxels[far] < LungContent.airHU { airBeside += 1 }
            }
        }
    }

    /// One for each slice.
    private static func tallies(_ ct: Volume<Float>, _ mask: Mask, pool: ThreadPool) -> [Tally] {
        let shape = ct.shape, spacing = ct.geometry.boxSpacing
        func row(_ length: Int, _ stride: Int, _ spacingMM: Double) -> Row {
            let steps = min(besideMM / spacingMM, Double(ImageLimits.axisVoxelCountMax)).rounded()
            return Row(length: length, stride: stride, steps: max(1, Int(steps)))
        }
        let alongX = row(shape.width, 1, spacing.xMM), alongY = row(shape.height, shape.width, spacing.yMM)
        let alongZ = row(shape.depth, shape.sliceVoxelCount, spacing.zMM)
        var tallies = [Tally](repeating: Tally(), count: shape.depth)
        tallies.withUnsafeMutableBufferPointer { tallies in
            nonisolated(unsafe) let tallies = tallies
            pool.run(taskCount: shape.depth) { z in
                var tally = Tally()
                for y in 0..<shape.height {
                    for x in 0..<shape.width {
                        let index = shape.index(z: z, y: y, x: x)
                        guard mask.voxels[index] > 0 else { continue }
                        tally.count(ct.voxels[index])
                        tally.look(beside: index, at: x, alongX, ct, mask)
                        tally.look(beside: index, at: y, alongY, ct, mask)
                        tally.look(beside: index, at: z, alongZ, ct, mask)
                    }
                }
                tallies[z] = tally
            }
        }
        return tallies
    }

    /// The way to a voxel's neighbours along one axis.
    private struct Row {
        var length: Int
        var stride: Int
        /// `besideMM` in voxels.
        var steps: Int
    }

    /// By a histogram between the least and the greatest value inside: to a hundredth of a HU where they are HU.
    private static func median(_ ct: Volume<Float>, _ mask: Mask, least: Float, most: Float) -> Float {
        guard least < most, least.isFinite, most.isFinite else { return least }
        let binCount = 1 << 18, scale = Float(binCount - 1) / (most - least)
        var counts = [Int](repeating: 0, count: binCount)
        var total = 0
        for index in mask.voxels.indices where mask.voxels[index] > 0 && ct.voxels[index].isFinite {
            counts[Int((ct.voxels[index] - least) * scale)] += 1
            total += 1
        }
        var below = 0
        for (bin, count) in counts.enumerated() {
            below += count
            if 2 * below >= total { return least + (Float(bin) + 0.5) / scale }
        }
        return most
    }
}
