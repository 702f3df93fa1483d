import Foundation
import Imaging
import Testing

@Suite struct NIfTIFileTests {
    @Test(arguments: [true, false]) func whatIsWrittenIsReadBack(isCompressed: Bool) throws {
        let ramp = ImageSamples.ramp()
        let back = try NIfTIFile.read(bytes: NIfTIFile.encode(ramp, isCompressed: isCompressed), name: "ramp")
        #expect(back.volume.voxels == ramp.voxels)
        #expect(back.volume.shape == ramp.shape)
        #expect(ImageSamples.distance(back.volume.geometry, ramp.geometry) < 1e-5)
        #expect(back.source.voxelType == .float32)
        #expect(back.source.orientation.description == "LPS")

        let whole = ramp.with(ramp.voxels.map { Int16($0) })
        let integers = try NIfTIFile.read(
            bytes: NIfTIFile.encode(whole, slope: 0.5, intercept: -3, isCompressed: isCompressed), name: "ramp")
        #expect(integers.volume.voxels == ramp.voxels.map { $0 * 0.5 - 3 })
        #expect(integers.source.slope == 0.5 && integers.source.intercept == -3)
    }

    @Test func theSameVolumeGivesTheSameBytes() {
        let mask = ImageSamples.ramp().with((0 ..< ImageSamples.shape.voxelCount).map { UInt8($0 % 3 == 0 ? 1 : 0) })
        let bytes = NIfTIFile.encode(mask)
        #expect(bytes == NIfTIFile.encode(mask))
        // gzip header without time, name and system.
        #expect(Array(bytes[..<10]) == [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255])
    }

    @Test func aMaskLiesOnItsSourcesOwnGridToTheBit() throws {
        let stored = ImageSamples.ramp().with(ImageSamples.ramp().voxels.map { Int16($0) })
        let bytes = NIfTIFile.encode(stored, isCompressed: false)
        var odd = bytes
        // Codes and numbers that this program would not write itself: an sform of Talairach, a qform that differs.
        odd[254] = 3
        odd[252] = 2
        odd[268] = 77
        odd[123] = 2
        let image = try NIfTIFile.read(bytes: odd, name: "odd")
        let mask = NIfTIFile.encode(
            image.volume.with([UInt8](repeating: 1, count: image.volume.shape.voxelCount)), like: image.source,
            isCompressed: false)
        #expect(Array(mask[76..<108]) == Array(odd[76..<108]), "pixdim")
        #expect(mask[123] == odd[123], "units")
        #expect(Array(mask[252..<328]) == Array(odd[252..<328]), "qform and sform")
        #expect(Array(mask[40..<56]) == Array(odd[40..<56]), "sizes")
        #expect(mask.count == 352 + ImageSamples.shape.voxelCount)
    }

    @Test func aFileLandsWholeOrNotAtAll() throws {
        try ImageSamples.withFolder { folder in
            try NIfTIFile.write(ImageSamples.ramp(), to: folder + "/a.nii.gz")
            #expect(try ImageFile.read(path: folder + "/a.nii.gz").volume.voxels == ImageSamples.ramp().voxels)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["a.nii.gz"])
            #expect(throws: ImageFileError.self) {
                try NIfTIFile.write(ImageSamples.ramp(), to: folder + "/missing/a.nii.gz")
            }
        }
    }
}
