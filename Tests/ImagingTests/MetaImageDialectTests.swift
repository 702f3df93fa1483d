import Foundation
import Imaging
import Testing

/// MetaImage headers as ITK's MetaIO takes them. What they mean was read with SimpleITK 2.5.7 from the same bytes.
@Suite struct MetaImageDialectTests {
    private static let voxels: [UInt8] = (1...12).flatMap { ImageSamples.littleEndian(Int16($0)) }
    private static let values = (1...12).map { Float($0) }
    private static let fields = """
        ObjectType = Image
        NDims = 3
        DimSize = 3 2 2
        ElementSpacing = 0.5 0.75 2.5
        ElementType = MET_SHORT

        """
    /// SimpleITK: direction 0 1 0, 1 0 0, 0 0 -1, origin 1 2 3; here in RAS.
    private static let turned: [Double] = [0, -0.75, 0, -1, -0.5, 0, 0, -2, 0, 0, -2.5, 3]

    private static func read(_ header: String) throws -> LoadedImage {
        try ImageFile.read(bytes: Array(header.utf8) + voxels, name: "a.mha")
    }

    @Test func theLastLineNeedsNoEndAndADotBeforeTheFileIsNoFolder() throws {
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(Self.voxels, folder + "/x.raw")
            for last in ["ElementDataFile = x.raw", "ElementDataFile = ./x.raw\n", "ElementDataFile: ././x.raw"] {
                try ImageSamples.write(Array((Self.fields + last).utf8), folder + "/a.mhd")
                let image = try ImageFile.read(path: folder + "/a.mhd")
                #expect(image.volume.voxels == Self.values, "\(last)")
                let joined = try #require(try ImageFile.joined(path: folder + "/a.mhd"))
                #expect(try ImageFile.read(bytes: joined, name: "joined").volume.voxels == Self.values, "\(last)")
            }
            for outside in ["./../x.raw", "./sub/x.raw", ".//x.raw", "./", "./."] {
                let header = Self.fields + "ElementDataFile = \(outside)\n"
                try ImageSamples.write(Array(header.utf8), folder + "/b.mhd")
                #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/b.mhd") }
            }
        }
    }

    @Test(arguments: [
        "TransformMatrix = 0 1 0\n1 0 0\n0 0 -1\nOffset = 1 2 3\n",
        "TransformMatrix =\n0 1 0\n1 0 0\n0 0 -1\nOffset = 1\n2 3\n",
        "Rotation: 0 1 0 1 0 0 0 0 -1\nPosition: 1 2 3\n", "Orientation = 0 1 0 1 0 0 0 0 -1\nOrigin = 1 2 3\n",
    ]) func aMatrixMayGoOnOverLines(place: String) throws {
        let image = try Self.read(Self.fields + place + "ElementDataFile = LOCAL\n")
        #expect(image.volume.geometry.affine == Self.turned && image.volume.voxels == Self.values)
        #expect(image.source.warnings.isEmpty)
    }

    @Test func aColonIsAnEqualsSign() throws {
        let matrix = "TransformMatrix: 1 0 0 0 1 0 0 0 1\n"
        let all = Self.fields.replacingOccurrences(of: " = ", with: ": ") + matrix + "ElementDataFile: LOCAL\n"
        #expect(try Self.read(all).volume.voxels == Self.values)
        let mixed = "Comment = made at 12:30, a = b\n" + Self.fields + "ElementDataFile=LOCAL\n"
        #expect(try Self.read(mixed).volume.voxels == Self.values)
    }

    @Test func aFourthDimensionOfOneFrameIsLeftOut() throws {
        let header = """
            ObjectType = Image
            NDims = 4
            TransformMatrix = 0 1 0 0 1 0 0 0 0 0 -1 0 0 0 0 1
            Offset = 1 2 3 4
            ElementSpacing = 0.5 0.75 2.5 1
            DimSize = 3 2 2 1
            ElementType = MET_SHORT
            ElementDataFile = LOCAL

            """
        let image = try Self.read(header)
        #expect(image.volume.geometry.affine == Self.turned && image.volume.voxels == Self.values)
        let two = header.replacingOccurrences(of: "3 2 2 1", with: "3 2 1 2")
        #expect(throws: ImageFileError.self) { try Self.read(two) }
        let short = header.replacingOccurrences(of: "0.5 0.75 2.5 1", with: "0.5 0.75 2.5")
        #expect(throws: ImageFileError.self) { try Self.read(short) }
    }

    /// SimpleITK: spacing 0.5 with the first direction -1.
    @Test func aNegativeSpacingTurnsItsAxisAndIsSaid() throws {
        let header = Self.fields.replacingOccurrences(of: "= 0.5", with: "= -0.5")
            + "TransformMatrix = 1 0 0 0 1 0 0 0 1\n"
        let image = try Self.read(header + "ElementDataFile = LOCAL\n")
        #expect(image.volume.geometry.affine == [0.5, 0, 0, 0, 0, -0.75, 0, 0, 0, 0, 2.5, 0])
        #expect(image.source.warnings.count == 1 && image.source.warnings[0].contains("-0.5"))
    }

    /// SimpleITK keeps both: a direction of length 2 and a spacing of 0.5.
    @Test func aMatrixWithAScaleContradictsTheSpacing() throws {
        let header = Self.fields + "TransformMatrix = 2 0 0 0 2 0 0 0 2\nElementDataFile = LOCAL\n"
        let error = "\(try #require(#expect(throws: ImageFileError.self) { try Self.read(header) }))"
        #expect(error.contains("length 2.0") && error.contains("ElementSpacing"))
    }

    @Test func aSizeStandsInForASpacingAndNoneIsRefused() throws {
        let size = Self.fields.replacingOccurrences(of: "ElementSpacing", with: "ElementSize")
        #expect(try Self.read(size + "ElementDataFile = LOCAL\n").volume.geometry.spacing.zMM == 2.5)
        let both = "NDims = 3\nElementSize = 1 1 1\n" + Self.fields.replacingOccurrences(of: "NDims = 3\n", with: "")
        #expect(try Self.read(both + "ElementDataFile = LOCAL\n").volume.geometry.spacing.zMM == 2.5)
        let none = "NDims = 3\nDimSize = 3 2 2\nElementType = MET_SHORT\nElementDataFile = LOCAL\n"
        #expect(throws: ImageFileError.self) { try Self.read(none) }
    }

    @Test func whatIsNoNumberGoesOnWithNothing() {
        for line in ["hello world", "0 1 x", "1 0 0;"] {
            let header = Self.fields + line + "\nElementDataFile = LOCAL\n"
            #expect(throws: ImageFileError.self, "\(line)") { try Self.read(header) }
        }
        #expect(throws: ImageFileError.self) { try Self.read("0 0 1\n" + Self.fields + "ElementDataFile = LOCAL\n") }
    }

    @Test func pointersOfVersionControlAreCalledByTheirName() throws {
        let lfs = Array("""
            version https://git-lfs.github.com/spec/v1
            oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393
            size 12345

            """.utf8)
        let annex = Array("/annex/objects/SHA256E-s12345--4d7a21.nii.gz\n".utf8)
        for (bytes, word, remedy) in [(lfs, "Git LFS pointer", "git lfs pull"), (annex, "git-annex", "git annex get")] {
            let error = "\(try #require(ImageSamples.refusal(bytes, name: "ct.nii.gz")))"
            #expect(error.hasPrefix("ct.nii.gz: is a ") && error.contains(word) && error.contains(remedy), "\(error)")
        }
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(Array((Self.fields + "ElementDataFile = x.raw\n").utf8), folder + "/a.mhd")
            try ImageSamples.write(lfs, folder + "/x.raw")
            try ImageSamples.write(try ImageSamples.goldenBytes("images/pair.hdr"), folder + "/b.hdr")
            try ImageSamples.write(lfs, folder + "/b.img")
            for name in ["a.mhd", "b.hdr"] {
                let error = #expect(throws: ImageFileError.self) { try ImageFile.read(path: "\(folder)/\(name)") }
                #expect("\(try #require(error))".contains("git lfs pull"), "\(name)")
            }
        }
    }
}
