import Imaging
import Numerics
import Testing

/// What a window has clipped, or 8 bits have rounded, was scanned; what one value fills inside of a scan was not.
@Suite struct ClippedScanTests {
    private let pool = ThreadPool(threadCount: 2)

    private func lungs(_ volume: Volume<Float>) throws -> Mask { try LungSegmenter().segment(volume, pool: pool) }

    private func clipped(_ volume: Volume<Float>, _ low: Float, _ high: Float) -> Volume<Float> {
        volume.with(volume.voxels.map { min(max($0, low), high) })
    }

    /// Cropped until a shell of 240 HU around the lungs lies at the sides: a lung window's largest value then fills a
    /// solid region that reaches them, as ribs do.
    @Test(arguments: [200, 230] as [Float]) func boneAtTheSidesThatIsClippedIsNoPadding(high: Float) throws {
        let chest = DrawnChest()
        let near = StructuringElement(ballRadiusMM: 12, spacing: DrawnChest.spacing)
        let wide = Morphology.dilated(chest.lung, by: near, pool: pool)
        var volume = chest.volume
        for index in volume.voxels.indices
        where wide.voxels[index] != 0 && chest.lung.voxels[index] == 0 && chest.trachea.voxels[index] == 0 {
            volume.voxels[index] += 210
        }
        let box = wide.boundingBox()!
        let shape = VolumeShape(depth: box.z.count, height: box.y.count - 4, width: box.x.count - 4)
        let cropped = Volume(
            shape: shape, geometry: volume.geometry,
            voxels: box.z.flatMap { z in
                box.y.dropFirst(2).dropLast(2).flatMap { y in
                    box.x.dropFirst(2).dropLast(2).map { x in volume[z, y, x] }
                }
            })
        #expect(try lungs(clipped(cropped, -1000, high)).voxels == lungs(cropped).voxels)
    }

    /// Slices that were lost: the lungs go on in them, whatever they were filled with.
    @Test(arguments: [1, 3, 6]) func slicesOfOneValueInsideCutNoLungs(count: Int) throws {
        let chest = DrawnChest(), size = DrawnChest.shape.sliceVoxelCount
        var masks: [[UInt8]] = []
        for value in [-1000, -3024, 0] as [Float] {
            var volume = chest.volume
            for index in 40 * size ..< (40 + count) * size { volume.voxels[index] = value }
            let found = try lungs(volume)
            #expect(dice(found, chest.lung) > 0.98)
            #expect((40 ..< 40 + count).allSatisfy { found.voxels[$0 * size ..< ($0 + 1) * size].contains(1) })
            masks.append(found.voxels)
        }
        #expect(masks[0] == masks[1] && masks[0] == masks[2])
    }

    /// Up to the mouth: lungs and the air around the body are one, through the trachea.
    @Test func lungsAreFoundWhereTheTracheaIsOpenToTheAirAbove() throws {
        let chest = DrawnChest(), plain = try lungs(chest.volume)
        var volume = chest.volume, stream = RandomKey(seed: 3, purpose: .phantomNoise).stream()
        for index in volume.voxels.indices.suffix(8 * volume.shape.sliceVoxelCount) {
            volume.voxels[index] = -1000 + 25 * stream.normal()
        }
        #expect(try lungs(volume).voxels == plain.voxels)
    }

    /// The middle of a chest only: both lungs are cut on all sides.
    @Test func aFieldOfViewThatCutsTheLungsIsNamedAsTheReason() throws {
        let chest = DrawnChest(), shape = VolumeShape(depth: 90, height: 30, width: 60)
        let middle = Volume(
            shape: shape, geometry: chest.volume.geometry,
            voxels: (0..<90).flatMap { z in (65..<95).flatMap { y in (65..<125).map { chest.volume[z, y, $0] } } })
        let error = #expect(throws: LungSegmentationError.self) { try lungs(middle) }
        let text = error.map { "\($0)" } ?? ""
        #expect(text.contains("the field of view cuts through the lungs") && text.contains("--masks"), "\(text)")
        var solid = chest
        for index in chest.lung.voxels.indices where chest.lung.voxels[index] == 1 { solid.volume.voxels[index] = 40 }
        let other = #expect(throws: LungSegmentationError.self) { try lungs(solid.volume) }
        #expect(other.map { !"\($0)".contains("field of view") } ?? false)
    }

    // MARK: Real CT

    /// Averaged to 3 x 3 x 4 mm, where noise hides nothing.
    private func coarse(_ file: String) throws -> Volume<Float> {
        let volume = try ImageFile.read(path: "\(ImageSamples.realFolder)/\(file)").volume.canonical()
        let mapping = GridMapping(
            sourceShape: volume.shape, sourceSpacing: volume.geometry.spacing, to: Spacing(zMM: 4, yMM: 3, xMM: 3))
        let small = mapping.linear(volume, pool: pool)
        return small.with(small.voxels.map { $0.rounded() })
    }

    @Test(
        .enabled(if: ImageSamples.hasRealData(), "no real CT in ../shared/data"),
        arguments: ["P002_ct.nii.gz", "normal001_fullfov256_ct.nii.gz"]
    ) func aWindowOrEightBitsChangeNoLungsOfARealScan(file: String) throws {
        let scan = try coarse(file), plain = try lungs(scan)
        for (low, high) in [(-1000, 50), (-1000, 200), (-1350, 150), (-900, 200)] as [(Float, Float)] {
            #expect(try lungs(clipped(scan, low, high)).voxels == plain.voxels, "\(low) to \(high)")
        }
        // As far as a threshold of -400 HU goes, which lies between two steps.
        #expect(dice(try lungs(clipped(scan, -800, 100)), plain) > 0.99)
        for step in [16, 32] as [Float] {
            let rounded = scan.with(scan.voxels.map { ($0 / step).rounded() * step })
            #expect(dice(try lungs(rounded), plain) > 0.99, "\(step)")
        }
    }
}
