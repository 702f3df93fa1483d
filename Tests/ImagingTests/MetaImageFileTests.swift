import Foundation
import Imaging
import Testing

@Suite struct MetaImageFileTests {
    /// 3 x 2 x 2 voxels of int16: 1, 2, ... 12.
    private static let voxels: [UInt8] = (1...12).flatMap { ImageSamples.littleEndian(Int16($0)) }

    private static func header(_ changes: [String: String?] = [:], file: String = "LOCAL") -> [UInt8] {
        var fields: [(String, String)] = [
            ("ObjectType", "Image"), ("NDims", "3"), ("BinaryData", "True"), ("BinaryDataByteOrderMSB", "False"),
            ("CompressedData", "False"), ("TransformMatrix", "1 0 0 0 1 0 0 0 1"), ("Offset", "-10 20 -30.5"),
            ("CenterOfRotation", "0 0 0"), ("AnatomicalOrientation", "RAI"), ("ElementSpacing", "0.5 0.75 2.5"),
            ("DimSize", "3 2 2"), ("ElementType", "MET_SHORT"),
        ]
        for (key, value) in changes.sorted(by: { $0.key < $1.key }) {
            fields.removeAll { $0.0 == key }
            if let value { fields.append((key, value)) }
        }
        let text = fields.map { "\($0.0) = \($0.1)\n" }.joined() + "ElementDataFile = \(file)\n"
        return Array(text.utf8)
    }

    @Test func aLocalFileIsReadWithItsPlaceInThePatient() throws {
        let image = try ImageFile.read(bytes: Self.header() + Self.voxels, name: "a.mha")
        #expect(image.volume.shape == VolumeShape(depth: 2, height: 2, width: 3))
        #expect(image.volume.voxels == (1...12).map { Float($0) })
        // LPS to RAS: x and y change their sign.
        #expect(image.volume.geometry.affine == [-0.5, 0, 0, 10, 0, -0.75, 0, -20, 0, 0, 2.5, -30.5])
        #expect(image.source.orientation.description == "LPS")
        #expect(image.source.format == "MetaImage")
    }

    @Test func eachTripleOfTheMatrixIsAnAxis() throws {
        // x runs along S, y along L, z along P (in LPS: L = +x, P = +y, S = +z).
        let bytes = Self.header(["TransformMatrix": "0 0 1 1 0 0 0 1 0"]) + Self.voxels
        let image = try ImageFile.read(bytes: bytes, name: "a.mha")
        #expect(image.source.orientation.description == "SLP")
        #expect(image.volume.geometry.affine == [0, -0.75, 0, 10, 0, 0, -2.5, -20, 0.5, 0, 0, -30.5])
    }

    @Test func typesAndByteOrdersAreRead() throws {
        func check(_ type: String, _ voxels: [UInt8], msb: Bool, line: Int = #line) throws {
            let header = Self.header([
                "ElementType": type, "BinaryDataByteOrderMSB": nil, "ElementByteOrderMSB": msb ? "True" : "False",
            ])
            let image = try ImageFile.read(bytes: header + voxels, name: "a.mha")
            #expect(image.volume.voxels == (1...12).map { Float($0) }, "\(type) \(msb) in line \(line)")
        }
        func bytes<Word: FixedWidthInteger>(_ words: [Word], msb: Bool) -> [UInt8] {
            words.flatMap { ImageSamples.littleEndian(msb ? $0.byteSwapped : $0) }
        }
        for msb in [false, true] {
            try check("MET_UCHAR", bytes((1...12).map { UInt8($0) }, msb: msb), msb: msb)
            try check("MET_CHAR", bytes((1...12).map { Int8($0) }, msb: msb), msb: msb)
            try check("MET_SHORT", bytes((1...12).map { Int16($0) }, msb: msb), msb: msb)
            try check("MET_USHORT", bytes((1...12).map { UInt16($0) }, msb: msb), msb: msb)
            try check("MET_INT", bytes((1...12).map { Int32($0) }, msb: msb), msb: msb)
            try check("MET_UINT", bytes((1...12).map { UInt32($0) }, msb: msb), msb: msb)
            try check("MET_LONG", bytes((1...12).map { Int32($0) }, msb: msb), msb: msb)
            try check("MET_LONG_LONG", bytes((1...12).map { Int64($0) }, msb: msb), msb: msb)
            try check("MET_FLOAT", bytes((1...12).map { Float($0).bitPattern }, msb: msb), msb: msb)
            try check("MET_DOUBLE", bytes((1...12).map { Double($0).bitPattern }, msb: msb), msb: msb)
        }
    }

    @Test func dataBesideTheHeaderAreFound() throws {
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(Self.header(file: "b.raw"), folder + "/b.mhd")
            let missing = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/b.mhd") }
            #expect("\(missing!)".contains("b.mhd") && "\(missing!)".contains("b.raw"))
            try ImageSamples.write(Self.voxels, folder + "/b.raw")
            #expect(try ImageFile.read(path: folder + "/b.mhd").volume.voxels == (1...12).map { Float($0) })
            // The voxels are the file's last bytes, or behind a header of known size.
            for size in ["-1", "5"] {
                try ImageSamples.write([9, 9, 9, 9, 9] + Self.voxels, folder + "/b.raw")
                try ImageSamples.write(Self.header(["HeaderSize": size], file: "b.raw"), folder + "/b.mhd")
                #expect(try ImageFile.read(path: folder + "/b.mhd").volume.voxels == (1...12).map { Float($0) })
                let joined = try #require(try ImageFile.joined(path: folder + "/b.mhd"))
                #expect(try ImageFile.read(bytes: joined, name: "b").volume.voxels == (1...12).map { Float($0) })
            }
            try ImageSamples.write(Self.header() + Self.voxels, folder + "/b.mha")
            #expect(try ImageFile.joined(path: folder + "/b.mha") == nil)
        }
    }

    @Test(arguments: [
        "../secret.raw", "/etc/passwd", "sub/x.raw", "..", ".", "LIST", "LIST 2D", "slice%03d.raw 1 2 1",
        "..\\x.raw", "",
    ]) func dataOutsideTheFolderOrInPiecesAreRefused(file: String) throws {
        try ImageSamples.withFolder { folder in
            try ImageSamples.write(Self.header(file: file), folder + "/c.mhd")
            let error = #expect(throws: ImageFileError.self) { try ImageFile.read(path: folder + "/c.mhd") }
            #expect("\(error!)".hasPrefix("c.mhd: "))
        }
    }

    @Test func everyForgedFieldIsRefusedByName() throws {
        let forgeries: [[String: String?]] = [
            ["DimSize": "3 2"], ["DimSize": "3 2 2 1"], ["DimSize": "-3 2 2"], ["DimSize": "0 2 2"],
            ["DimSize": "3 2 3"], ["DimSize": "30000 30000 30000"], ["DimSize": "99999999999999999999 1 1"],
            ["DimSize": "a b c"], ["DimSize": nil], ["NDims": "2"], ["NDims": "4"], ["NDims": nil],
            ["ElementSpacing": "0 1 1"], ["ElementSpacing": "nan 1 1"], ["ElementSpacing": "inf 1 1"],
            ["ElementSpacing": "1 1"], ["ElementSpacing": nil], ["ElementSpacing": "1e30 1 1"],
            ["TransformMatrix": "1 0 0 1 0 0 0 0 1"], ["TransformMatrix": "0 0 0 0 0 0 0 0 0"],
            ["TransformMatrix": "1 0 0"], ["Offset": "1 2 x"], ["ElementType": "MET_OTHER"], ["ElementType": nil],
            ["ElementType": "MET_STRING"], ["ElementNumberOfChannels": "3"], ["BinaryData": "False"],
            ["BinaryData": "maybe"], ["CompressedData": "True"], ["HeaderSize": "-2"], ["HeaderSize": "99"],
            ["HeaderSize": "99999999999999999999"], ["ElementToIntensityFunctionSlope": "2"], ["ObjectType": "Tube"],
        ]
        for forgery in forgeries {
            let error = ImageSamples.refusal(Self.header(forgery) + Self.voxels, name: "d.mha")
            #expect(error.map { "\($0)".hasPrefix("d.mha: ") } == true, "\(forgery)")
        }
        let endless = Array("ObjectType = Image\n".utf8) + [UInt8](repeating: 65, count: 1 << 20)
        #expect(ImageSamples.refusal(endless) != nil)
        let twice = Array("NDims = 3\n".utf8) + Self.header() + Self.voxels
        #expect("\(try #require(ImageSamples.refusal(twice)))".contains("twice"))
        #expect(ImageSamples.refusal(Self.header() + Self.voxels.dropLast()) != nil)
    }
}
