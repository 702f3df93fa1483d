import Foundation
import Imaging
import Recipes
import Testing

/// A few slices are refused, thick ones get a warning beside their figures.
@Suite struct ScanExtentTests {
    private func prepare(slices: Range<Int>, orientation: String = "LPS") throws -> PreparedVolume {
        func cut(_ volume: Volume<Float>) throws -> LoadedImage {
            let plane = volume.shape.sliceVoxelCount
            let shape = VolumeShape(depth: slices.count, height: volume.shape.height, width: volume.shape.width)
            return try PreparationTests.loaded(
                Volume(
                    shape: shape, geometry: volume.geometry,
                    voxels: Array(volume.voxels[(slices.lowerBound * plane)..<(slices.upperBound * plane)])),
                orientation: orientation)
        }
        return try Preparation.run(
            ct: cut(LungPlausibilityTests.ct), lung: cut(LungPlausibilityTests.lung), preset: PreparationTests.preset,
            planeHeight: 24, planeWidth: 32, forTraining: false, pool: LungPlausibilityTests.pool)
    }

    /// Slices of 4 mm, wherever they lie in the file.
    @Test(arguments: ["LPS", "SAR", "IPL"]) func lessThanTwelveMillimetresAreRefusedByName(orientation: String) throws {
        for count in 1...2 {
            let message = LungPlausibilityTests.refusal {
                try prepare(slices: 30..<(30 + count), orientation: orientation)
            } ?? ""
            #expect(message.contains("\(orientation).nii.gz has \(count) slice"), "\(message)")
            #expect(message.contains("\(4 * count) mm") && message.contains("below 12 mm"), "\(message)")
        }
        for (count, isThin) in [(3, true), (7, true), (8, false)] {
            let volume = try prepare(slices: 30..<(30 + count), orientation: orientation)
            #expect(volume.warnings.contains { $0.contains("from top to bottom") } == isThin, "\(volume.warnings)")
        }
    }

    @Test func warningsStandBesideTheFiguresAndNothingWhereThereAreNone() throws {
        func figures(_ volume: PreparedVolume) throws -> String {
            JSONText.encode(try ReferenceAnswers.none(
                volume, preset: PreparationTests.preset, pool: LungPlausibilityTests.pool).figures)
        }
        let whole = try prepare(slices: 0..<LungPlausibilityTests.ct.shape.depth)
        #expect(whole.warnings.isEmpty)
        #expect(!(try figures(whole)).contains("warnings"))
        #expect(try figures(prepare(slices: 30..<34)).contains("\"warnings\":[\"It has 4 slices of 4 mm, 16 mm"))
        // The phantom of the other tests has slices of 8 mm.
        let thick = try Preparation.run(
            ct: PreparationTests.loaded(PreparationTests.phantom.ct, orientation: "LPS"),
            lung: PreparationTests.loaded(PreparationTests.floats(PreparationTests.phantom.lung), orientation: "LPS"),
            preset: PreparationTests.preset, planeHeight: 24, planeWidth: 32, forTraining: false,
            pool: LungPlausibilityTests.pool)
        #expect(thick.warnings.contains { $0.hasPrefix("Its slices are 8 mm thick") }, "\(thick.warnings)")
    }

    /// Twice as wide as they are high: a header whose one number was mistyped.
    @Test func pixelsThatAreNotSquareAreSaid() throws {
        func warnings(x: Double, y: Double, orientation: String = "LPS") throws -> [String] {
            let volume = Volume<Float>(
                repeating: 0, shape: VolumeShape(depth: 20, height: 10, width: 10),
                geometry: Geometry(spacing: Spacing(zMM: 2.5, yMM: y, xMM: x)))
            return try ScanExtent.warnings(PreparationTests.loaded(volume, orientation: orientation).source)
        }
        for orientation in ["LPS", "SAR", "IPL"] {
            #expect(try warnings(x: 0.7, y: 0.7, orientation: orientation).isEmpty)
            #expect(try warnings(x: 0.7, y: 0.706, orientation: orientation).isEmpty)
            let found = try warnings(x: 0.7, y: 0.72, orientation: orientation)
            #expect(found.count == 1 && found[0].hasPrefix("Its pixels are not square, 0.7"), "\(found)")
        }
    }
}
