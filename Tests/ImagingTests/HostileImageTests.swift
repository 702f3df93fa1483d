import Foundation
import Imaging
import Testing

/// A file that cannot be what it claims is refused by name, at once and without its claim's memory.
@Suite(.serialized) struct HostileImageTests {
    private static let good = NIfTIFile.encode(
        ImageSamples.ramp().with(ImageSamples.ramp().voxels.map { Int16($0) }), isCompressed: false)

    private static func short(_ value: Int16) -> [UInt8] { ImageSamples.littleEndian(value) }
    private static func float(_ value: Float) -> [UInt8] { ImageSamples.littleEndian(value.bitPattern) }

    struct Forgery: CustomTestStringConvertible, Sendable {
        var what: String
        var offset: Int
        var bytes: [UInt8]
        var kind: ImageFileError.Kind
        var testDescription: String { what }
    }

    static let forgeries: [Forgery] = [
        Forgery(what: "header size", offset: 0, bytes: [0x5d, 1, 0, 0], kind: .damaged),
        Forgery(what: "NIfTI-2", offset: 0, bytes: [0x1c, 2, 0, 0], kind: .unsupported),
        Forgery(what: "Analyze", offset: 344, bytes: [0, 0, 0, 0], kind: .unsupported),
        Forgery(what: "magic", offset: 344, bytes: Array("n+2\0".utf8), kind: .damaged),
        Forgery(what: "no dimensions", offset: 40, bytes: short(0), kind: .damaged),
        Forgery(what: "8 dimensions", offset: 40, bytes: short(8), kind: .damaged),
        Forgery(what: "negative dimensions", offset: 40, bytes: short(-3), kind: .damaged),
        Forgery(what: "2 dimensions", offset: 40, bytes: short(2), kind: .unsupported),
        Forgery(what: "4 frames", offset: 40, bytes: [4, 0, 7, 0, 5, 0, 4, 0, 4, 0], kind: .unsupported),
        Forgery(what: "negative frames", offset: 40, bytes: [4, 0, 7, 0, 5, 0, 4, 0, 255, 255], kind: .damaged),
        Forgery(what: "negative width", offset: 42, bytes: short(-7), kind: .damaged),
        Forgery(what: "no height", offset: 44, bytes: short(0), kind: .damaged),
        Forgery(
            what: "product beyond all limits", offset: 42, bytes: short(32767) + short(32767) + short(32767),
            kind: .limit),
        Forgery(
            what: "product that wraps 32 bits", offset: 42, bytes: short(16384) + short(16384) + short(16),
            kind: .limit),
        Forgery(what: "claims 2 GiB", offset: 42, bytes: short(1024) + short(1024) + short(1024), kind: .damaged),
        Forgery(what: "one slice more than it has", offset: 46, bytes: short(5), kind: .damaged),
        Forgery(what: "RGB", offset: 70, bytes: short(128) + short(24), kind: .unsupported),
        Forgery(what: "complex", offset: 70, bytes: short(32) + short(64), kind: .unsupported),
        Forgery(what: "binary", offset: 70, bytes: short(1) + short(1), kind: .unsupported),
        Forgery(what: "unknown type", offset: 70, bytes: short(-4), kind: .unsupported),
        Forgery(what: "another voxel width than the sform's", offset: 80, bytes: float(0.75), kind: .damaged),
        Forgery(what: "voxel height enormous", offset: 84, bytes: float(3e38), kind: .damaged),
        Forgery(what: "offset NaN", offset: 108, bytes: float(.nan), kind: .damaged),
        Forgery(what: "offset negative", offset: 108, bytes: float(-352), kind: .damaged),
        Forgery(what: "offset inside the header", offset: 108, bytes: float(300), kind: .damaged),
        Forgery(what: "offset broken", offset: 108, bytes: float(352.5), kind: .damaged),
        Forgery(what: "offset behind the end", offset: 108, bytes: float(4096), kind: .damaged),
        Forgery(what: "offset enormous", offset: 108, bytes: float(3e38), kind: .damaged),
        Forgery(what: "intercept NaN", offset: 116, bytes: float(.nan), kind: .damaged),
        Forgery(what: "slope that overflows", offset: 112, bytes: float(3e38), kind: .unsupported),
        Forgery(what: "sform infinite", offset: 280, bytes: float(.infinity), kind: .damaged),
        Forgery(what: "sform singular", offset: 280, bytes: float(0) + float(0) + float(0), kind: .damaged),
        Forgery(what: "sform enormous", offset: 280, bytes: float(3e38), kind: .damaged),
    ]

    @Test(arguments: forgeries) func everyForgedFieldIsRefusedByName(forgery: Forgery) throws {
        for compressed in [false, true] {
            let forged = ImageSamples.patched(Self.good, at: forgery.offset, forgery.bytes)
            let bytes = compressed ? try ImageSamples.gzipped(forged) : forged
            let error = try #require(ImageSamples.refusal(bytes, name: "patient-7.nii"), "\(forgery.what) was accepted")
            #expect(error.kind == forgery.kind, "\(error)")
            #expect("\(error)".hasPrefix("patient-7.nii: ") && "\(error)".contains("; "), "\(error)")
        }
    }

    @Test func aSlopeOfZeroMeansUnscaled() throws {
        let bytes = ImageSamples.patched(Self.good, at: 112, Self.float(0) + Self.float(5))
        #expect(try ImageFile.read(bytes: bytes, name: "a").volume.voxels == ImageSamples.ramp().voxels)
    }

    @Test func metresAndMicronsBecomeMillimetres() throws {
        for (units, factor) in [(UInt8(1), 1000.0), (2, 1), (3, 0.001), (0, 1)] {
            // 2.5 units along z in the sform; far from the limits of spacing in every unit.
            let scale = Float(units == 1 ? 0.001 : (units == 3 ? 1000 : 1))
            var bytes = ImageSamples.patched(Self.good, at: 123, [units])
            let affine = ImageSamples.geometry.affine.map { Float($0) * scale }
            bytes = ImageSamples.patched(bytes, at: 280, affine.flatMap { Self.float($0) })
            let spacing = ImageSamples.geometry.spacing
            let sizes = [spacing.xMM, spacing.yMM, spacing.zMM].map { Float($0) * scale }
            bytes = ImageSamples.patched(bytes, at: 80, sizes.flatMap { Self.float($0) })
            let geometry = try ImageFile.read(bytes: bytes, name: "a").volume.geometry
            #expect(ImageSamples.distance(geometry, ImageSamples.geometry) < 1e-3, "\(units) \(factor)")
        }
    }

    @Test func everyTruncationIsRefused() throws {
        let packed = try ImageSamples.gzipped(Self.good)
        for count in stride(from: 0, to: Self.good.count, by: 3) {
            #expect(ImageSamples.refusal(Array(Self.good[..<count])) != nil, "\(count) bytes")
        }
        for count in 0 ..< packed.count {
            #expect(ImageSamples.refusal(Array(packed[..<count])) != nil, "\(count) bytes")
        }
    }

    @Test func aFlippedByteInACompressedFileIsFoundByItsChecksum() throws {
        let packed = try ImageSamples.gzipped(Self.good)
        // Up to 10: the gzip header, whose time, flags and system mean nothing to the voxels.
        for index in 10 ..< packed.count {
            let flipped = ImageSamples.patched(packed, at: index, [packed[index] ^ 0x10])
            // A few bits may mean nothing (padding, another way to say the same): then nothing has changed.
            let voxels = try? ImageFile.read(bytes: flipped, name: "flipped").volume.voxels
            #expect(voxels == nil || voxels == ImageSamples.ramp().voxels, "byte \(index) of \(packed.count)")
        }
    }

    @Test func aBombIsStoppedEarlyWithLittleMemory() async throws {
        let folder = try ImageSamples.newFolder()
        defer { ImageSamples.remove(folder) }
        // Claims 140 voxels of int16; inflates to 64 MiB.
        let bomb = try ImageSamples.gzipped(Self.good + [UInt8](repeating: 0, count: 64 << 20))
        #expect(bomb.count < 1 << 20)
        try ImageSamples.write(bomb, folder + "/bomb.nii.gz")
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            let reading = MemoryOfReading(folder + "/bomb.nii.gz")
            #expect(reading.error?.kind == .damaged)
            #expect(reading.grownByteCount < 16 << 20, "\(reading.grownByteCount >> 20) MiB")
        }
        // Claims what it inflates to: 1 GiB from 1 MiB.
        let claim = ImageSamples.patched(Self.good, at: 42, Self.short(1024) + Self.short(1024) + Self.short(512))
        let claimed = try ImageSamples.gzipped(claim) + [UInt8](repeating: 7, count: 1 << 20)
        try ImageSamples.write(claimed, folder + "/claim.nii.gz")
        await #expect(processExitsWith: .success) { [folder = folder as String] in
            let reading = MemoryOfReading(folder + "/claim.nii.gz")
            #expect(reading.error?.kind == .limit)
            #expect(reading.grownByteCount < 16 << 20, "\(reading.grownByteCount >> 20) MiB")
        }
    }

    @Test func voxelsThatAreNoNumbersAreCounted() throws {
        var volume = ImageSamples.ramp()
        volume[0, 0, 0] = .nan
        volume[3, 4, 6] = .infinity
        let error = try #require(ImageSamples.refusal(NIfTIFile.encode(volume), name: "holes.nii.gz"))
        #expect("\(error)".contains("holes.nii.gz: 2 of its 140 voxels"))
    }

    @Test(arguments: [
        ([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a], "PNG"), ([0xff, 0xd8, 0xff, 0xe0], "JPEG"),
        (Array("hello, this is a note\n".utf8), "text"), (Array("NRRD0004\n".utf8), "NRRD"),
        ([UInt8](repeating: 0, count: 128) + Array("DICM".utf8), "DICOM"), (Array("PK\u{3}\u{4}".utf8), "ZIP"),
        ([], "empty"),
    ]) func whatIsNoCTIsCalledByItsName(bytes: [UInt8], word: String) throws {
        let padded = word == "text" || word == "empty" ? bytes : bytes + [UInt8](repeating: 0, count: 400)
        let error = try #require(ImageSamples.refusal(padded, name: "thing"))
        #expect("\(error)".contains("thing: ") && "\(error)".contains(word), "\(error)")
    }

    @Test func missingFilesAndFoldersAreNamed() throws {
        try ImageSamples.withFolder { folder in
            let missing = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/no.nii") }
            #expect(missing?.kind == .unreachable && "\(missing!)".contains("no.nii"))
            let directory = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder) }
            #expect("\(directory!)".contains("is a folder"))
            let pair = try ImageSamples.goldenBytes("images/pair.hdr")
            try ImageSamples.write(pair, folder + "/alone.hdr")
            let alone = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/alone.hdr") }
            #expect("\(alone!)".contains("without its .img"))
            try ImageSamples.write([1, 2, 3], folder + "/alone.img")
            let short = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/alone.hdr") }
            #expect("\(short!)".contains("alone.img") && "\(short!)".contains("cut short"))
        }
    }
}
