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

        /// Values of a run that lies inside.
        mutating func count(_ values: UnsafeBufferPointer<Float>, _ run: Range<Int>) {
            var (air, tissue, bone): (Int32, Int32, Int32) = (0, 0, 0)
            for index in run {
                let value = values[index]
                air &+= value < LungContent.airHU ? 1 : 0
                tissue &+= value > LungContent.tissueHU ? 1 : 0
                bone &+= value > LungContent.boneHU ? 1 : 0
            }
            inside += run.count
            (self.air, self.tissue, self.bone) = (self.air + Int(air), self.tissue + Int(tissue), self.bone + Int(bone))
            for index in run where values[index] < least && values[index] > -.infinity { least = values[index] }
            for index in run where values[index] > most && values[index] < .infinity { most = values[index] }
        }

        /// Where the mask has ended: whether it has so a little further on, too, and whether there is air then.
        mutating func look(at far: Int, _ values: UnsafeBufferPointer<Float>, _ mask: UnsafeBufferPointer<UInt8>) {
            guard mask[far] == 0 else { return }
            beside += 1
            if values[far] < LungContent.airHU { airBeside += 1 }
        }
    }

    /// The ways to a voxel's neighbours along an axis.
    private struct Way {
        var length: Int
        var stride: Int
        /// `besideMM` in voxels.
        var steps: Int

        init(_ length: Int, _ stride: Int, _ spacingMM: Double) {
            (self.length, self.stride) = (length, stride)
            steps = max(1, Int(min(besideMM / spacingMM, Double(ImageLimits.axisVoxelCountMax)).rounded()))
        }

        /// Those that do not leave the volume within `steps`, as strides.
        func from(_ place: Int) -> [Int] {
            [-1, 1].filter { (0..<length).contains(place + $0 * steps) }.map { $0 * stride }
        }
    }

    /// The CT, its mask and the ways from a voxel to its neighbours.
    private struct Field {
        let shape: VolumeShape
        let values: UnsafeBufferPointer<Float>
        let mask: UnsafeBufferPointer<UInt8>
        let alongX: Way, alongY: Way, alongZ: Way

        init(_ ct: Volume<Float>, _ values: UnsafeBufferPointer<Float>, _ mask: UnsafeBufferPointer<UInt8>) {
            (shape, self.values, self.mask) = (ct.shape, values, mask)
            let spacing = ct.geometry.boxSpacing
            alongX = Way(shape.width, 1, spacing.xMM)
            alongY = Way(shape.height, shape.width, spacing.yMM)
            alongZ = Way(shape.depth, shape.sliceVoxelCount, spacing.zMM)
        }

        func tally(slice z: Int) -> Tally {
            var tally = Tally()
            let waysZ = alongZ.from(z).map { ($0, $0 * alongZ.steps) }
            for y in 0..<shape.height {
                let start = shape.index(z: z, y: y, x: 0), row = start..<start + shape.width
                guard mask.firstSet(from: row.lowerBound, to: row.upperBound) < row.upperBound else { continue }
                let ways = alongY.from(y).map { ($0, $0 * alongY.steps) } + waysZ
                mask.forEachRun(in: row) { run in
                    tally.count(values, run)
                    // Along the row, what is beside a run is at its ends.
                    for (end, stride) in [(run.lowerBound, -1), (run.upperBound - 1, 1)]
                    where row.contains(end + stride * alongX.steps) {
                        tally.look(at: end + stride * alongX.steps, values, mask)
                    }
                    for (stride, far) in ways {
                        mask.forEachClear(in: run.lowerBound + stride..<run.upperBound + stride) {
                            tally.look(at: $0 - stride + far, values, mask)
                        }
                    }
                }
            }
            return tally
        }
    }

    /// One for each slice.
    private static func tallies(_ ct: Volume<Float>, _ mask: Mask, pool: ThreadPool) -> [Tally] {
        var tallies = [Tally](repeating: Tally(), count: ct.shape.depth)
        ct.voxels.withUnsafeBufferPointer { values in
            mask.voxels.withUnsafeBufferPointer { mask in
                tallies.withUnsafeMutableBufferPointer { tallies in
                    // Each task writes its own element; the others are only read.
                    nonisolated(unsafe) let (field, tallies) = (Field(ct, values, mask), tallies)
                    pool.run(taskCount: tallies.count) { tallies[$0] = field.tally(slice: $0) }
                }
            }
        }
        return tallies
    }

    /// By a histogram between the least and the greatest value inside: to a hundredth of a HU where they are HU.
    private static func median(_ ct: Volume<Float>, _ mask: Mask, least: Float, most: Float) -> Float {
        guard least < most, least.isFinite, most.isFinite else { return least }
        let binCount = 1 << 18, scale = Float(binCount - 1) / (most - least)
        var counts = [Int](repeating: 0, count: binCount)
        var total = 0
        mask.voxels.withUnsafeBufferPointer { inside in
            ct.voxels.withUnsafeBufferPointer { values in
                counts.withUnsafeMutableBufferPointer { counts in
                    inside.forEachRun(in: inside.indices) { run in
                        for index in run where values[index].isFinite {
                            counts[Int((values[index] - least) * scale)] += 1
                            total += 1
                        }
                    }
                }
            }
        }
        var below = 0
        for (bin, count) in counts.enumerated() {
            below += count
            if 2 * below >= total { return least + (Float(bin) + 0.5) / scale }
        }
        return most
    }
}
