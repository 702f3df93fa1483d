import Imaging
import Numerics
import Recipes
import Testing

/// One lung for two, a hole in a stack and a mask over what was not scanned are said beside the figures.
@Suite struct MaskShapeTests {
    private static let shape = VolumeShape(depth: 10, height: 8, width: 40)

    /// Boxes of these columns, in every slice but those left out.
    private static func mask(_ columns: [Range<Int>], without slices: Set<Int> = []) -> Mask {
        var mask = Mask(repeating: 0, shape: shape, geometry: Geometry(spacing: Spacing(zMM: 4, yMM: 4, xMM: 4)))
        for z in 1..<9 where !slices.contains(z) {
            for y in 2..<6 {
                for x in columns.joined() { mask[z, y, x] = 1 }
            }
        }
        return mask
    }

    private static func shape(_ mask: Mask) -> MaskShape { MaskShape(mask, orientation: Orientation(code: "LPS")!) }

    @Test func theSharesOfTheSidesAreThoseThatWereDrawn() {
        let both = Self.shape(Self.mask([4..<16, 24..<36]))
        #expect(both.depth == 1 && both.smallerShare == 0.5 && both.missingSlices.isEmpty)
        #expect(both.warnings(isMade: false, emptySlices: []).isEmpty)
        let unequal = Self.shape(Self.mask([4..<20, 30..<34]))
        #expect(unequal.depth == 1 && unequal.smallerShare == 0.2)
        let warnings = unequal.warnings(isMade: false, emptySlices: [])
        #expect(warnings.count == 1 && warnings[0].hasPrefix("20% of the lung mask lie on one side"), "\(warnings)")
        let one = Self.shape(Self.mask([4..<20]))
        #expect(one.depth == 0)
        let given = one.warnings(isMade: false, emptySlices: []), made = one.warnings(isMade: true, emptySlices: [])
        #expect(given.count == 1 && given[0].contains("holds one lung only") && !given[0].contains("--masks"))
        #expect(made.count == 1 && made[0].contains("as dense as tissue") && made[0].contains("--masks"), "\(made)")
    }

    @Test func gapsAndSlicesThatWereNotScannedAreNamed() {
        let shape = Self.shape(Self.mask([4..<16, 24..<36], without: [4, 5]))
        #expect(shape.missingSlices == [4, 5])
        let warnings = shape.warnings(isMade: false, emptySlices: [0, 1, 2])
        #expect(warnings.count == 2 && warnings[0].hasPrefix("Slices 4 to 5 "), "\(warnings)")
        #expect(warnings[1].contains("reaches into 2 slices"), "\(warnings)")
        #expect(Self.shape(Self.mask([4..<16, 24..<36])).warnings(isMade: false, emptySlices: [0, 9]).isEmpty)
    }

    /// A phantom's own mask, cut along its middle, in any orientation of the file.
    @Test(arguments: ["LPS", "IPL"]) func halfOfAPhantomsMaskIsOneLung(orientation: String) throws {
        let lung = LungPlausibilityTests.lung, width = lung.shape.width
        var half = lung
        for index in half.voxels.indices where index % width >= width / 2 { half.voxels[index] = 0 }
        func warnings(_ mask: Volume<Float>) throws -> [String] {
            try LungMask(
                of: PreparationTests.loaded(LungPlausibilityTests.ct, orientation: orientation),
                given: PreparationTests.loaded(mask, orientation: orientation),
                pool: LungPlausibilityTests.pool).warnings
        }
        #expect(try warnings(lung).isEmpty)
        #expect(try warnings(half).contains { $0.contains("holds one lung only") })
    }

    /// As in pneumonia of a whole lung.
    @Test func aMaskMadeHereSaysThatADenseLungIsMissing() throws {
        let lung = LungPlausibilityTests.lung, width = lung.shape.width
        var ct = LungPlausibilityTests.ct
        for index in ct.voxels.indices where lung.voxels[index] > 0 && index % width >= width / 2 {
            ct.voxels[index] = 40 + Float(index % 13)
        }
        let warnings = try LungMask(
            of: PreparationTests.loaded(ct, orientation: "LPS"), given: nil, pool: LungPlausibilityTests.pool).warnings
        #expect(warnings.contains { $0.contains("leaves out lung that is as dense as tissue") }, "\(warnings)")
    }
}
