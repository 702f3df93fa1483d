import Foundation
import Imaging
import Numerics
import Recipes
import TestSupport
import Testing

/// Soft tissue and the air around a body lie where they lie in HU, or the row says so.
@Suite struct ValueLevelsTests {
    private static let realData = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../../../shared/data").path

    private static func levels(_ ct: Volume<Float>) throws -> ValueLevels {
        ValueLevels(try LungPlausibilityTests.file(ct, "ct.nii"))
    }

    /// A block of tissue with noise of 9 values in air with noise of 5, and a border that was never scanned.
    private static func drawn(tissue: Float, air: Float, padding: Float) -> Volume<Float> {
        let shape = VolumeShape(depth: 20, height: 40, width: 50)
        var volume = Volume<Float>(
            repeating: padding, shape: shape, geometry: Geometry(spacing: Spacing(zMM: 3, yMM: 2, xMM: 2)))
        for z in 0..<20 {
            for y in 0..<40 {
                for x in 0..<48 {
                    let isTissue = (10..<30).contains(y) && (10..<40).contains(x)
                    let noise = Float(isTissue ? (x + 2 * y + z) % 9 - 4 : (x + 2 * y + z) % 5 - 2)
                    volume[z, y, x] = (isTissue ? tissue : air) + noise
                }
            }
        }
        return volume
    }

    @Test func peaksAreWhatWasDrawnAndPaddingIsNone() throws {
        for padding: Float in [0, -1024, -3024, 900] {
            let levels = try Self.levels(Self.drawn(tissue: 40, air: -1000, padding: padding))
            #expect(abs((levels.tissueHU ?? 0) - 40) <= 25 && abs((levels.outsideAirHU ?? 0) - -1000) <= 15)
            #expect(levels.warnings.isEmpty, "\(levels.warnings)")
        }
        // Fat, and vessels and liver full of contrast medium.
        for tissue: Float in [-115, 130] {
            #expect(try Self.levels(Self.drawn(tissue: tissue, air: -1000, padding: 0)).warnings.isEmpty)
        }
        // As it is after --add-hu 200, after -100, and with the slope applied twice.
        for (scale, offset): (Float, Float) in [(1, 200), (1, -100), (2, 1024)] {
            let wrong = Self.drawn(tissue: 40 * scale + offset, air: -1000 * scale + offset, padding: 0)
            let warnings = try Self.levels(wrong).warnings
            #expect(warnings.count == 1 && warnings[0].contains("--add-hu"), "\(scale) \(offset): \(warnings)")
        }
    }

    /// The peaks are those of numpy's histograms, of all voxels that differ from both neighbours in their row.
    @Test(.enabled(
        if: isHere(FileManager.default.fileExists(atPath: realData + "/P002_ct.nii.gz"), "real CTs in ../shared/data"),
        "no real CT in ../shared/data"))
    func realCTsAreWhereNumpyHasThemAndAnOffsetOf100IsToldByTheAir() throws {
        for (name, tissue, air): (String, Float, Float?) in [
            ("P002_ct.nii.gz", 32, nil), ("normal001_fullfov256_ct.nii.gz", -112, -998),
            ("3DCT_lung.mha", 46, -1025),
        ] {
            var ct = try ImageFile.read(path: "\(Self.realData)/\(name)")
            let levels = ValueLevels(ct)
            #expect(abs((levels.tissueHU ?? 999) - tissue) <= 6, "\(name): \(levels)")
            #expect((levels.outsideAirHU == nil) == (air == nil), "\(name): \(levels)")
            if let air, let found = levels.outsideAirHU { #expect(abs(found - air) <= 6, "\(name): \(levels)") }
            #expect(levels.warnings.isEmpty, "\(name): \(levels.warnings)")
            let offset: Float = air == -998 ? 100 : 200
            for index in ct.volume.voxels.indices { ct.volume.voxels[index] += offset }
            let warnings = ValueLevels(ct).warnings
            #expect(warnings.count == 1 && warnings[0].contains("another offset or slope"), "\(name): \(warnings)")
        }
    }
}
