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

    /// What made a mask stands in descrip and nowhere else; nothing of the CT's own words stays.
    @Test func aMaskSaysWhatMadeIt() throws {
        var ct = NIfTIFile.encode(ImageSamples.ramp(), isCompressed: false)
        ct.replaceSubrange(148..<228, with: [UInt8](repeating: UInt8(ascii: "x"), count: 80))
        let source = try NIfTIFile.read(bytes: ct, name: "ct").source
        let mask = ImageSamples.ramp().with([UInt8](repeating: 1, count: ImageSamples.shape.voxelCount))
        let plain = NIfTIFile.encode(mask, like: source, isCompressed: false)
        let longest = String(repeating: "q", count: NIfTIFile.descriptionByteCountMax)
        for text in ["quintet 0.1.0, run 0123456789abcdef", longest] {
            let bytes = NIfTIFile.encode(mask, like: source, isCompressed: false, description: text)
            #expect(Array(bytes[148..<228]) == Array(text.utf8) + [UInt8](repeating: 0, count: 80 - text.utf8.count))
            #expect(bytes[..<148] == plain[..<148] && bytes[228...] == plain[228...])
        }
        #expect(Array(plain[148..<156]) == Array("quintet\0".utf8))
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
