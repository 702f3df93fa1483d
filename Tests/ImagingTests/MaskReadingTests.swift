import Imaging
import Testing

/// A mask is what its values say, by one rule, and what is no mask is refused.
@Suite struct MaskReadingTests {
    private static func image(
        _ values: [Float], slope: Float = 1, intercept: Float = 0
    ) throws -> LoadedImage {
        let volume = Volume(
            shape: VolumeShape(depth: 1, height: 1, width: values.count), geometry: ImageSamples.geometry,
            voxels: values)
        return try ImageFile.read(
            bytes: NIfTIFile.encode(volume, slope: slope, intercept: intercept, isCompressed: false), name: "m.nii")
    }

    private static func refusal(_ values: [Float], labels: Set<Int>? = nil) throws -> String {
        let image = try image(values)
        return "\(try #require(#expect(throws: ImageFileError.self) { try image.mask(labels: labels) }))"
    }

    /// nibabel, float 0 and 1 saved under a CT's int16 header: slope 1 / 65535 as a float, intercept 0.5.
    @Test func aMaskUnderACTsHeaderHasNoRoundingInIt() throws {
        let stored = Volume(
            shape: VolumeShape(depth: 1, height: 1, width: 4), geometry: ImageSamples.geometry,
            voxels: [Int16.min, .max, .min, .max])
        let slope = Float(1.0 / 65535), image = try ImageFile.read(
            bytes: NIfTIFile.encode(stored, slope: slope, intercept: 0.5 + slope / 2 + 3e-6), name: "m.nii.gz")
        #expect(image.volume.voxels[0] > 0 && image.volume.voxels[0] < 1e-4)
        let reading = try image.maskReading()
        #expect(reading.mask.voxels == [0, 1, 0, 1] && reading.labels == [1] && reading.warnings.isEmpty)
    }

    @Test func noiseAroundZeroIsOutside() throws {
        #expect(try Self.image([1e-7, 1, -1e-7, 0.999_999]).mask().voxels == [0, 1, 0, 1])
        let reading = try Self.image([0.009, 1.009, 0.3, 1e-7]).maskReading()
        #expect(reading.mask.voxels == [0, 1, 0, 0] && reading.labels.isEmpty && reading.warnings.count == 1)
    }

    /// scipy's zoom by 1/2 and back with order 3 of a real lung mask goes from -0.528 to 1.589.
    @Test func aProbabilityIsInsideFromOneHalfOn() throws {
        let reading = try Self.image([-0.528, 0.49, 0.5, 0.51, 1.589, 0]).maskReading()
        #expect(reading.mask.voxels == [0, 0, 1, 1, 1, 0])
        #expect(reading.warnings.contains { $0.contains("one half") })
        #expect(try Self.refusal([0, 0.4, 0.7], labels: [3]).contains("--labels"))
    }

    @Test(arguments: [
        [-1024, 40, 12.5], [-1000, 30, 400], [0, 0.4, 3.7], [-1, 0, 1], [0, 127.3, 255], [0, 1, 70_000], [0.2, 0.4, 2],
    ] as [[Float]]) func whatIsNoMaskIsRefusedByName(values: [Float]) throws {
        let message = try Self.refusal(values)
        #expect(message.hasPrefix("m.nii: is no mask") && message.contains("\(values.max()!)"), "\(message)")
    }

    @Test func labelsThatCountAreChosen() throws {
        let luna = try Self.image([0, 3, 4, 5, 5, 3])
        #expect(try luna.mask(labels: [3, 4]).voxels == [0, 1, 1, 0, 0, 1])
        #expect(try luna.maskReading(labels: [3, 4]).warnings.isEmpty)
        let all = try luna.maskReading()
        #expect(all.labels == [3, 4, 5] && all.mask.voxels == [0, 1, 1, 1, 1, 1])
        #expect(all.warnings.count == 1 && all.warnings[0].contains("5 is the trachea"))
        #expect(all.warnings[0].contains("--labels") && !all.warnings[0].contains("m.nii"))
        #expect(try Self.image([0, 1, 2]).maskReading().warnings == [
            "All its labels 1, 2 count as inside; say which ones should with --labels.",
        ])
        #expect(try Self.image([0, 255, 0]).maskReading().warnings.isEmpty)
    }

    @Test func aLabelThatIsNotThereIsSaid() throws {
        let reading = try Self.image([0, 3, 4]).maskReading(labels: [3, 7])
        #expect(reading.mask.voxels == [0, 1, 0])
        #expect(reading.warnings == ["It has no label 7: its labels are 3, 4."])
        let empty = try Self.image([0, 0]).maskReading(labels: [1])
        #expect(empty.mask.voxels == [0, 0] && empty.warnings == ["It has no label 1: it is empty."])
        #expect(try Self.image([0, 0]).maskReading().labels.isEmpty)
    }

    /// TotalSegmentator: up to 117 organs in one file, lobes of the lung 10 to 14.
    @Test func aMapOfManyOrgansNeedsItsLabels() throws {
        let organs = (0...117).map { Float($0) }
        let message = try Self.refusal(organs)
        #expect(message == "m.nii: is a map of 117 labels (1, 2, 3, 4 ... 117); say which of them count, such as "
            + "--labels 3,4, or save it as 0 and 1")
        let lobes = try Self.image(organs).mask(labels: [10, 11, 12, 13, 14])
        #expect(lobes.voxels.indices.filter { lobes.voxels[$0] == 1 } == [10, 11, 12, 13, 14])
        #expect(try Self.image((0...8).map { Float($0) }).mask().voxels.count { $0 == 1 } == 8)
        #expect(try Self.refusal((0...9).map { Float($0) }).contains("9 labels"))
    }

    @Test func labelsHoldOnAnotherFilesGridToo() throws {
        let ct = try ImageFile.read(bytes: NIfTIFile.encode(ImageSamples.ramp()), name: "ct.nii").source
        let map = ImageSamples.ramp().with((0..<ImageSamples.shape.voxelCount).map { UInt8($0 % 6) })
        let turned = map.reoriented(from: ct.orientation, to: .canonical)
        let image = try ImageFile.read(bytes: NIfTIFile.encode(turned), name: "labels.nii")
        let mask = try image.mask(on: ct, labels: [3, 4])
        #expect(mask.voxels == map.voxels.map { $0 == 3 || $0 == 4 ? 1 : 0 })
        #expect(try image.maskReading(on: ct).labels == [1, 2, 3, 4, 5])
    }
}
