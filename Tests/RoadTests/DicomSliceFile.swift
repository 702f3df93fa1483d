import Foundation

/// One slice of a CT as a DICOM file in explicit little endian, written by the standard (PS3.5, PS3.10) and by nothing
/// of the program's: what a reader must make of it is known.
struct DicomSliceFile {
    /// Values as text, or numbers of 16 bits, by tag.
    private var elements: [UInt32: (vr: String, bytes: [UInt8])] = [:]

    static let patientWords = ["Mustermann", "4711-A", "19640812"]

    /// - Parameters:
    ///   - stored: rows * columns values.
    ///   - position: of the first voxel: left, posterior, superior, in mm.
    ///   - orientation: directions along a row and along a column.
    init(
        stored: [Int16], columns: Int, position: [Double], series: String = "1.2.3.1",
        orientation: [Double] = [1, 0, 0, 0, 1, 0], spacingMM: (rows: Double, columns: Double) = (2.5, 1.5),
        slope: Double = 1, intercept: Double = -1024
    ) {
        let instance = "\(series).\(UInt32.random(in: 1...UInt32.max))"
        set(0x0008_0016, "UI", "1.2.840.10008.5.1.4.1.1.2")
        set(0x0008_0018, "UI", instance)
        set(0x0008_0008, "CS", "ORIGINAL\\PRIMARY\\AXIAL")
        set(0x0008_0060, "CS", "CT")
        set(0x0010_0010, "PN", "Mustermann^Erika")
        set(0x0010_0020, "LO", "4711-A")
        set(0x0010_0030, "DA", "19640812")
        set(0x0020_000D, "UI", "1.2.3")
        set(0x0020_000E, "UI", series)
        set(0x0020_0052, "UI", "1.2.3.9")
        set(0x0020_0032, "DS", Self.text(position))
        set(0x0020_0037, "DS", Self.text(orientation))
        set(0x0028_0002, UInt16(1))
        set(0x0028_0004, "CS", "MONOCHROME2")
        set(0x0028_0010, UInt16(stored.count / columns))
        set(0x0028_0011, UInt16(columns))
        set(0x0028_0030, "DS", Self.text([spacingMM.rows, spacingMM.columns]))
        for (tag, value) in [(0x0028_0100, 16), (0x0028_0101, 16), (0x0028_0102, 15), (0x0028_0103, 1)] {
            set(UInt32(tag), UInt16(value))
        }
        set(0x0028_1052, "DS", Self.text([intercept]))
        set(0x0028_1053, "DS", Self.text([slope]))
        elements[0x7FE0_0010] = ("OW", stored.flatMap { Self.little(UInt16(bitPattern: $0)) })
    }

    mutating func set(_ tag: UInt32, _ vr: String, _ text: String) {
        var bytes = Array(text.utf8)
        // Even, by a zero behind a UID and a blank behind other text.
        if bytes.count % 2 == 1 { bytes.append(vr == "UI" ? 0 : 32) }
        elements[tag] = (vr, bytes)
    }

    mutating func set(_ tag: UInt32, _ value: UInt16) { elements[tag] = ("US", Self.little(value)) }
    mutating func remove(_ tag: UInt32) { elements[tag] = nil }

    static func text(_ numbers: [Double]) -> String {
        numbers.map { String(format: "%.9g", $0) }.joined(separator: "\\")
    }

    /// The whole file.
    func bytes(transferSyntax: String = "1.2.840.10008.1.2.1") -> [UInt8] {
        var meta = DicomSliceFile(empty: ())
        meta.set(0x0002_0002, "UI", "1.2.840.10008.5.1.4.1.1.2")
        meta.set(0x0002_0003, "UI", String(decoding: elements[0x0008_0018]!.bytes, as: UTF8.self))
        meta.set(0x0002_0010, "UI", transferSyntax)
        let head = meta.encoded
        let length = Self.element(0x0002_0000, "UL", Self.little(UInt32(head.count)))
        return [UInt8](repeating: 0, count: 128) + Array("DICM".utf8) + length + head + encoded
    }

    private init(empty: Void) {}

    private var encoded: [UInt8] {
        elements.sorted { $0.key < $1.key }.flatMap { Self.element($0.key, $0.value.vr, $0.value.bytes) }
    }

    private static func element(_ tag: UInt32, _ vr: String, _ bytes: [UInt8]) -> [UInt8] {
        let head = little(UInt16(tag >> 16)) + little(UInt16(tag & 0xFFFF)) + Array(vr.utf8)
        let length = vr == "OW" ? [0, 0] + little(UInt32(bytes.count)) : little(UInt16(bytes.count))
        return head + length + bytes
    }

    private static func little<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
        withUnsafeBytes(of: value.littleEndian, Array.init)
    }
}
