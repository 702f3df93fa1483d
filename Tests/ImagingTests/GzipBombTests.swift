import Foundation
import Imaging
import Testing

/// 2 MB that inflate to 2 GiB are refused at once and with little memory (row 18 of the reliability scorecard).
@Suite(.serialized) struct GzipBombTests {
    private static let wanted = 2 << 30

    /// Members of gzip one after the other are one stream: 2 GiB in the time that it takes to pack one.
    private static func bomb(_ front: [UInt8], fill: UInt8 = 0) throws -> [UInt8] {
        let packed = try ImageSamples.gzipped([UInt8](repeating: fill, count: 1 << 20))
        return try ImageSamples.gzipped(front) + [[UInt8]](repeating: packed, count: wanted >> 20).joined()
    }

    private static func header(x: Int16, y: Int16, z: Int16, voxelType: Int16, bits: Int16) -> [UInt8] {
        let volume = ImageSamples.ramp().with(ImageSamples.ramp().voxels.map { Int16($0) })
        var bytes = Array(NIfTIFile.encode(volume, isCompressed: false).prefix(352))
        for (offset, value) in [(42, x), (44, y), (46, z), (70, voxelType), (72, bits)] {
            bytes = ImageSamples.patched(bytes, at: offset, ImageSamples.littleEndian(value))
        }
        return bytes
    }

    private static func metaHeader(_ size: String) -> [UInt8] {
        Array("""
            ObjectType = Image
            NDims = 3
            CompressedData = True
            ElementSpacing = 1 1 1
            DimSize = \(size)
            ElementType = MET_UCHAR
            ElementDataFile = LOCAL

            """.utf8)
    }

    @Test func itIsRefusedByNameWithLittleMemory() throws {
        let zeros = try Self.bomb([])
        #expect(zeros.count < 3 << 20)
        let bombs: [(what: String, bytes: [UInt8])] = [
            ("claims little", try Self.bomb(Self.header(x: 4, y: 4, z: 4, voxelType: 2, bits: 8))),
            ("claims it all, bytes", try Self.bomb(Self.header(x: 1024, y: 1024, z: 2048, voxelType: 2, bits: 8))),
            ("claims it all, doubles", try Self.bomb(Self.header(x: 1024, y: 512, z: 512, voxelType: 64, bits: 64))),
            ("no header", zeros), ("ones", try Self.bomb([], fill: 1)),
            ("MetaImage that claims little", Self.metaHeader("4 4 4") + zeros),
            ("MetaImage that claims it all", Self.metaHeader("1024 1024 2048") + zeros),
        ]
        let before = ImageSamples.peakMemoryByteCount()
        for (what, bytes) in bombs {
            let began = ProcessInfo.processInfo.systemUptime
            let error = try #require(ImageSamples.refusal(bytes, name: "bomb.nii.gz"), "\(what) was read")
            let seconds = ProcessInfo.processInfo.systemUptime - began
            #expect("\(error)".hasPrefix("bomb.nii.gz: "))
            let grown = ImageSamples.peakMemoryByteCount() - before
            print("bomb that \(what): refused after \(seconds) s with \(grown >> 20) MiB: \(error)")
            #expect(grown < 64 << 20, "\(what): \(grown >> 20) MiB")
            if ProcessInfo.processInfo.environment["QUINTET_FULL"] == "1" { #expect(seconds < 1) }
        }
    }

    /// With others of its kind.
    private static let realBomb = ImageSamples.realFolder + "/hostile/bomb.nii.gz"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: realBomb), "../shared/data/hostile is not here"))
    func everyFileOfTheHostileFolderIsRefusedByName() throws {
        let folder = ImageSamples.realFolder + "/hostile"
        let before = ImageSamples.peakMemoryByteCount()
        for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() {
            let error = #expect(throws: ImageFileError.self, "\(file) was read") {
                try ImageFile.read(path: folder + "/" + file)
            }
            #expect("\(try #require(error))".hasPrefix("\(file): "))
        }
        #expect(ImageSamples.peakMemoryByteCount() - before < 64 << 20)
    }
}
