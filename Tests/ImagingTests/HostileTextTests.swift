import Foundation
import Imaging
import Testing

/// Text from headers and names of files ends up on terminals and in logs.
@Suite struct HostileTextTests {
    @Test func anOffsetBeyondAnyScannerIsRefused() throws {
        let ramp = ImageSamples.ramp().with(ImageSamples.ramp().voxels.map { Int16($0) })
        let plain = NIfTIFile.encode(ramp, isCompressed: false)
        for offset in ["1e39", "-1e39", "1e300", "1e8"] {
            let text = """
                ObjectType = Image
                NDims = 3
                Offset = 0 \(offset) 0
                ElementSpacing = 1 1 1
                DimSize = 2 2 2
                ElementType = MET_UCHAR
                ElementDataFile = LOCAL

                """
            let bytes = Array(text.utf8) + [UInt8](repeating: 0, count: 8)
            let error = try #require(ImageSamples.refusal(bytes, name: "far.mha"), "\(offset) was read")
            #expect(error.kind == .damaged && "\(error)".contains("origin"), "\(error)")
        }
        // In metres: finite as it is stored, not in millimetres.
        var metres = ImageSamples.patched(plain, at: 123, [1])
        metres = ImageSamples.patched(metres, at: 292, ImageSamples.littleEndian(Float(1e38).bitPattern))
        #expect(ImageSamples.refusal(metres)?.kind == .damaged)
    }

    @Test func noControlCharacterOfAFileReachesAMessage() throws {
        let escape = "\u{1B}[2J\u{9B}31m\u{7F}\u{202E}"
        let long = String(repeating: "x", count: 5_000)
        for field in [
            "ElementType = \(escape)", "HeaderSize = \(escape)", "\(escape)\(long)", "ObjectType = \(escape)",
        ] {
            let text = """
                NDims = 3
                \(field)
                ElementSpacing = 1 1 1
                DimSize = 2 2 2
                ElementDataFile = \(escape)\(long)

                """
            let name = "evil\u{1B}]0;title\u{7}\n.mha"
            let error = try #require(ImageSamples.refusal(Array(text.utf8), name: name), "\(field) was read")
            let plain = "\(error)".unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F..<0xA0).contains($0.value) }
            #expect(plain && !"\(error)".contains("\u{202E}") && "\(error)".count < 1_000, "\(error)")
        }
    }

    /// "/" with an accent is one character that is no "/", and the path goes up all the same.
    @Test func aDataFileOutsideTheFolderIsRefusedHoweverTheSlashIsDressed() throws {
        try ImageSamples.withFolder { folder in
            let accented = "\u{301}secret.raw"
            try FileManager.default.createDirectory(atPath: folder + "/in", withIntermediateDirectories: true)
            try ImageSamples.write([UInt8](repeating: 9, count: 8), folder + "/" + accented)
            let text = """
                ObjectType = Image
                NDims = 3
                ElementSpacing = 1 1 1
                DimSize = 2 2 2
                ElementType = MET_UCHAR
                ElementDataFile = ../\(accented)

                """
            try ImageSamples.write(Array(text.utf8), folder + "/in/scan.mhd")
            let error = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/in/scan.mhd") }
            #expect("\(try #require(error))".contains("outside its folder"))
        }
    }
}
