import Imaging
import Recipes
import Testing

/// Slices that hold one value only are named, and nothing is said of whole scans.
@Suite struct MissingSlicesTests {
    private func warnings(_ filled: [Int], orientation: String = "LPS", given: Bool = true) throws -> [String] {
        var ct = LungPlausibilityTests.ct
        let size = ct.shape.sliceVoxelCount
        for z in filled {
            for index in z * size ..< (z + 1) * size { ct.voxels[index] = -1000 }
        }
        return try LungMask(
            of: PreparationTests.loaded(ct, orientation: orientation),
            given: given ? PreparationTests.loaded(LungPlausibilityTests.lung, orientation: orientation) : nil,
            pool: LungPlausibilityTests.pool
        ).warnings
    }

    @Test(arguments: ["LPS", "SAR"]) func slicesOfOneValueBetweenLungsAreNamed(orientation: String) throws {
        #expect(try warnings([], orientation: orientation).isEmpty)
        let said = try warnings([30, 31, 32, 36], orientation: orientation).first ?? ""
        #expect(said.contains("hold one value only (30 to 32, 36, counted from 0)"), "\(said)")
        #expect(try warnings([30], orientation: orientation).contains { $0.contains("holds one value only (30, ") })
    }

    @Test func theBuiltInSegmenterGoesOnInThemAndTheyAreNamed() throws {
        #expect(try warnings([], given: false).isEmpty)
        #expect(try warnings([30, 31], given: false).contains { $0.contains("(30 to 31, counted from 0)") })
    }
}
