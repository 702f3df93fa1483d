import Foundation
import Imaging

/// How far a scan reaches from its first slice to its last, and how thick its slices are: with a few slices next to
/// nothing is found (the network sees what lies beyond a scan's ends as empty, and the boxes of A5 reach 4.5 mm out of
/// it), with thick ones more than there is. docs/METHOD.md has the figures.
package enum ScanExtent {
    /// A scan that reaches less far is refused.
    static let leastMM = 12.0
    static let leastSliceCount = 3
    /// From here on lesions are as large as in the whole scan.
    static let soundMM = 30.0
    static let thickSliceMM = 5.0
    /// Scanners' pixels are square.
    static let pixelSideTolerance = 0.01

    /// - Throws: `RecipeError.inputRefused`.
    /// - Returns: a sentence for each warning, without the CT's name.
    package static func warnings(_ source: ImageSource) throws -> [String] {
        let shape = source.shape, spacing = source.geometry.boxSpacing
        let axis = source.orientation.superiorAxis
        let sliceCount = shape.counts[axis]
        let sliceMM = spacing.lengthsMM[axis]
        // As it is said: an affine keeps 2 mm as 1.9999998.
        let extentMM = (Double(sliceCount) * sliceMM * 10).rounded() / 10
        let extent = "\(sliceCount) slice\(sliceCount == 1 ? "" : "s") of \(rounded(sliceMM)) mm"
        guard extentMM >= leastMM, sliceCount >= leastSliceCount else {
            throw RecipeError.inputRefused("\(source.name) has \(extent), \(rounded(extentMM)) mm of lung from top to "
                + "bottom, and below \(rounded(leastMM)) mm or \(leastSliceCount) slices lesions are not found; give "
                + "the whole scan, or at least \(rounded(soundMM)) mm of it")
        }
        var warnings: [String] = []
        if extentMM < soundMM {
            warnings.append("It has \(extent), \(rounded(extentMM)) mm from top to bottom: below \(rounded(soundMM)) "
                + "mm lesions were found smaller than in the whole scan (by a quarter at 14 mm).")
        }
        if (sliceMM * 10).rounded() / 10 >= thickSliceMM {
            warnings.append("Its slices are \(rounded(sliceMM)) mm thick: lesions come out larger than in slices of 2 "
                + "mm (12 to 22% at 6 mm, 30 to 42% at 10 mm), and sound lungs have more false ones.")
        }
        let sides = source.orientation.axialAxes.map { spacing.lengthsMM[$0] }
        if max(sides[0], sides[1]) > (1 + pixelSideTolerance) * min(sides[0], sides[1]) {
            warnings.append("Its pixels are not square, \(exact(sides[0])) x \(exact(sides[1])) mm in the axial plane, "
                + "which no scanner makes: if one of the two is wrong, so are all volumes; check the voxel size.")
        }
        return warnings
    }

    private static func exact(_ millimetres: Double) -> String { String(format: "%.3g", millimetres) }

    private static func rounded(_ value: Double) -> String {
        let tenths = (value * 10).rounded() / 10
        return tenths == tenths.rounded() ? "\(Int(tenths))" : "\(tenths)"
    }
}
