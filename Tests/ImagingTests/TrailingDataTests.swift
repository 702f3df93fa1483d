import Foundation
import Imaging
import Testing

/// Bytes behind an image's end belong to nothing: they neither pass as part of it nor make a bomb look harmless.
@Suite(.serialized) struct TrailingDataTests {
    private static let ramp = ImageSamples.ramp().with(ImageSamples.ramp().voxels.map { Int16($0) })
    private static let plain = NIfTIFile.encode(ramp, isCompressed: false)
    private static let junk = [UInt8](repeating: 7, count: 40)

    private static func metaImage(_ data: String, isCompressed: Bool = false) -> [UInt8] {
        Array("""
            ObjectType = Image
            NDims = 3
            CompressedData = \(isCompressed ? "True" : "False")
            ElementSpacing = 1 1 1
            DimSize = 4 4 4
            ElementType = MET_UCHAR
            ElementDataFile = \(data)

            """.utf8)
    }

    @Test func junkBehindACompressedImageIsRefusedByName() throws {
        let packed = try ImageSamples.gzipped(Self.plain)
        let voxels = try ImageSamples.gzipped([UInt8](repeating: 1, count: 64))
        let images = [
            packed + Self.junk, packed + [0, 0, 7], packed + [UInt8](repeating: 0, count: 1 << 20),
            packed + [0x1f], packed + [0x1f, 0x8b, 9],
            Self.metaImage("LOCAL", isCompressed: true) + voxels + Self.junk,
        ]
        for (number, bytes) in images.enumerated() {
            let error = try #require(ImageSamples.refusal(bytes, name: "tail.nii.gz"), "image \(number) was read")
            #expect(error.kind == .damaged && "\(error)".hasPrefix("tail.nii.gz: "), "\(error)")
        }
    }

    @Test func membersOneAfterTheOtherAndPaddingWithZerosAreRead() throws {
        let cuts = [0, 100, 352, 400, Self.plain.count]
        let members = try zip(cuts, cuts.dropFirst()).flatMap { try ImageSamples.gzipped(Array(Self.plain[$0..<$1])) }
        let whole = try ImageSamples.gzipped(Self.plain)
        for bytes in [members, members + [0], whole + [UInt8](repeating: 0, count: 512)] {
            #expect(try ImageFile.read(bytes: bytes, name: "a").volume.voxels == ImageSamples.ramp().voxels)
        }
    }

    /// 1 MB that inflates to 1 GiB, with 2 MB of junk behind it: only what was inflated counts as its size.
    @Test func junkDoesNotMakeABombHarmless() async throws {
        var header = Array(Self.plain.prefix(352))
        for (offset, value) in [(42, Int16(1024)), (44, 1024), (46, 1024), (70, 2), (72, 8)] {
            header = ImageSamples.patched(header, at: offset, ImageSamples.littleEndian(value))
        }
        let zeros = try ImageSamples.gzipped([UInt8](repeating: 0, count: 1 << 20))
        var bomb = try ImageSamples.gzipped(header) + [[UInt8]](repeating: zeros, count: 1 << 10).joined()
        bomb += [UInt8](repeating: 0x55, count: 2 << 20)
        let folder = try ImageSamples.newFolder()
        defer { ImageSamples.remove(folder) }
        try ImageSamples.write(bomb, folder + "/bomb.nii.gz")
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            let reading = MemoryOfReading(folder + "/bomb.nii.gz")
            let error = try #require(reading.error)
            // It ends where its claim does, so that the junk is what is seen first.
            #expect([.limit, .damaged].contains(error.kind) && "\(error)".hasPrefix("bomb.nii.gz: "), "\(error)")
            #expect(reading.grownByteCount < 64 << 20, "\(reading.grownByteCount >> 20) MiB")
        }
    }

    /// Inflated twice, since it claims 200 times its own size, and read. Takes 2.2 GB of memory.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["QUINTET_FULL"] == "1", "takes 2.2 GB of memory"))
    func aLargeSparseImageIsRead() throws {
        var header = Array(Self.plain.prefix(352))
        for (offset, value) in [(42, Int16(1024)), (44, 1024), (46, 520), (70, 2), (72, 8)] {
            header = ImageSamples.patched(header, at: offset, ImageSamples.littleEndian(value))
        }
        var slice = [UInt8](repeating: 0, count: 1 << 20)
        for index in 0..<4_000 { slice[index] = UInt8(truncatingIfNeeded: index * index >> 3) }
        let packed = try ImageSamples.gzipped(slice)
        let bytes = try ImageSamples.gzipped(header) + [[UInt8]](repeating: packed, count: 520).joined()
        #expect((100..<500).contains((520 << 20) / bytes.count))
        let volume = try ImageFile.read(bytes: bytes, name: "mask.nii.gz").volume
        #expect(volume.shape.voxelCount == 520 << 20 && volume[519, 0, 100] == Float(slice[100]))
    }

    @Test func aHeaderThatClaimsFarLessThanItsFileHoldsIsRefused() throws {
        let more = [UInt8](repeating: 0, count: 128 << 10)
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(Self.metaImage("scan.raw"), folder + "/scan.mhd")
            for (name, bytes) in [
                ("scan.nii", Self.plain + more), ("scan.nii.gz", try ImageSamples.gzipped(Self.plain + more)),
                ("scan.mha", Self.metaImage("LOCAL") + [UInt8](repeating: 1, count: 64) + more),
                ("scan.raw", [UInt8](repeating: 1, count: 64) + more),
            ] {
                try ImageSamples.write(bytes, folder + "/" + name)
                let path = folder + "/" + (name == "scan.raw" ? "scan.mhd" : name)
                let error = #expect(throws: ImageFileError.self, "\(name) was read") { try ImageFile.read(path: path) }
                #expect("\(try #require(error))".hasPrefix("\(name): "), "\(error!)")
            }
            // A block of padding is no claim of another size.
            try ImageSamples.write(Self.plain + [UInt8](repeating: 0, count: 512), folder + "/padded.nii")
            #expect(try ImageFile.read(path: folder + "/padded.nii").volume.voxels == ImageSamples.ramp().voxels)
        }
    }
}
