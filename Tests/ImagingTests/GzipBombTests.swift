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

    enum Bomb: String, CaseIterable, Codable {
        case claimingLittle = "claims little"
        case claimingAllAsBytes = "claims it all, bytes"
        case claimingAllAsDoubles = "claims it all, doubles"
        case withoutHeader = "has no header"
        case ofOnes = "is all ones"
        case metaImageClaimingLittle = "is a MetaImage and claims little"
        case metaImageClaimingAll = "is a MetaImage and claims it all"

        func bytes() throws -> [UInt8] {
            switch self {
            case .claimingLittle: try bomb(header(x: 4, y: 4, z: 4, voxelType: 2, bits: 8))
            case .claimingAllAsBytes: try bomb(header(x: 1024, y: 1024, z: 2048, voxelType: 2, bits: 8))
            case .claimingAllAsDoubles: try bomb(header(x: 1024, y: 512, z: 512, voxelType: 64, bits: 64))
            case .withoutHeader: try bomb([])
            case .ofOnes: try bomb([], fill: 1)
            case .metaImageClaimingLittle: metaHeader("4 4 4") + (try bomb([]))
            case .metaImageClaimingAll: metaHeader("1024 1024 2048") + (try bomb([]))
            }
        }
    }

    @Test(arguments: Bomb.allCases) func itIsRefusedByNameWithLittleMemory(bomb: Bomb) async throws {
        let folder = try ImageSamples.newFolder()
        defer { ImageSamples.remove(folder) }
        let bytes = try bomb.bytes(), path = folder + "/bomb.nii.gz"
        #expect(bytes.count < 3 << 20)
        try ImageSamples.write(bytes, path)
        let seen = await #expect(processExitsWith: .success, observing: [\.standardOutputContent]) {
            [path = path as String, bomb = bomb as Bomb] in
            let reading = MemoryOfReading(path)
            let error = try #require(reading.error, "a bomb that \(bomb.rawValue) was read")
            #expect("\(error)".hasPrefix("bomb.nii.gz: "))
            #expect(reading.grownByteCount < 64 << 20, "\(bomb.rawValue): \(reading.grownByteCount >> 20) MiB")
            #expect(reading.isQuick)
            print("bomb that \(bomb.rawValue): refused after \(reading.seconds) s "
                + "with \(reading.grownByteCount >> 20) MiB: \(error)")
        }
        print(String(decoding: seen?.standardOutputContent ?? [], as: UTF8.self), terminator: "")
    }

    /// An image that is one and is read: what the bounds above are held against does see memory.
    @Test func theMemoryOfAReadingIsSeen() async throws {
        let folder = try ImageSamples.newFolder()
        defer { ImageSamples.remove(folder) }
        let path = folder + "/large.nii.gz", voxels = [UInt8](repeating: 3, count: 32 << 20)
        try ImageSamples.write(
            ImageSamples.gzipped(Self.header(x: 512, y: 512, z: 128, voxelType: 2, bits: 8) + voxels), path)
        await #expect(processExitsWith: .success) { [path = path as String] in
            let reading = MemoryOfReading(path)
            #expect(reading.error == nil)
            #expect(reading.grownByteCount >= 128 << 20, "\(reading.grownByteCount >> 20) MiB")
        }
    }
}
