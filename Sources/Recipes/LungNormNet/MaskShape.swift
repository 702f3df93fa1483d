import Foundation
import Imaging

/// Whether a lung mask has the shape of two lungs: one on either side of the mediastinum, about alike, and no slice
/// left out. docs/METHOD.md has what was measured.
package struct MaskShape {
    /// How much emptier it is between the two lungs than in the smaller of them, along the line from side to side.
    static let twoLungsDepthMin = 0.5
    static let smallerShareMin = 0.25
    private static let smoothingMM = 10.0

    /// From 0 where the mask is one hump from side to side to 1 where there is nothing of it in the middle.
    package let depth: Double
    /// Of the mask's voxels, on the side with fewer, as that middle parts it.
    package let smallerShare: Double
    /// Slices without any of it between slices that have some.
    package let missingSlices: [Int]
    private let axis: Int
    private let voxelsBySlice: [Int]

    package init(_ mask: Mask, orientation: Orientation) {
        let counts = mask.setCounts()
        axis = orientation.superiorAxis
        let bySlice = counts[axis]
        voxelsBySlice = bySlice
        let inside = bySlice.indices.filter { bySlice[$0] > 0 }
        missingSlices = inside.isEmpty ? [] : (inside[0]...inside[inside.count - 1]).filter { bySlice[$0] == 0 }
        let side = orientation.sideAxis
        (depth, smallerShare) = Self.parted(
            counts[side], width: Self.smoothingMM / mask.geometry.boxSpacing.lengthsMM[side])
    }

    /// Parts a profile where it falls the most below what is on both sides of it.
    private static func parted(_ profile: [Int], width: Double) -> (depth: Double, smallerShare: Double) {
        let half = min(Int(width.rounded()), profile.count) / 2
        let smooth = profile.indices.map { place in
            profile[max(0, place - half)...min(profile.count - 1, place + half)].reduce(0, +)
        }
        var before = [Int](), after = [Int]()
        for value in smooth { before.append(max(value, before.last ?? 0)) }
        for value in smooth.reversed() { after.append(max(value, after.last ?? 0)) }
        after.reverse()
        let lower = smooth.indices.map { min(before[$0], after[$0]) }
        guard let valley = smooth.indices.max(by: { lower[$0] - smooth[$0] < lower[$1] - smooth[$1] }) else {
            return (0, 0)
        }
        let first = profile[..<valley].reduce(0, +), total = max(profile.reduce(0, +), 1)
        return (
            Double(lower[valley] - smooth[valley]) / Double(max(lower[valley], 1)),
            Double(min(first, total - first)) / Double(total)
        )
    }

    /// - Parameters:
    ///   - isMade: by the built-in segmenter.
    ///   - emptySlices: of the CT, those of one value only.
    /// - Returns: a sentence each, without the CT's name.
    package func warnings(isMade: Bool, emptySlices: [Int]) -> [String] {
        var warnings: [String] = []
        let remedy = isMade
            ? "a mask made here leaves out lung that is as dense as tissue, so that the involved share is too small; "
                + "look at it, and give a mask with --masks"
            : "shares are of what the mask holds; give one of both lungs"
        if depth < Self.twoLungsDepthMin {
            warnings.append("The lung mask holds one lung only (from side to side it has no gap as between two lungs: "
                + String(format: "%.0f%% emptier in the middle, where two lungs had 75 to 100%%): ", 100 * depth)
                + remedy + ".")
        } else if smallerShare < Self.smallerShareMin {
            warnings.append(String(format: "%.0f%% of the lung mask lie on one side of the mediastinum and %.0f%% on "
                + "the other, where lungs had 39 to 61%%: ", 100 * smallerShare, 100 - 100 * smallerShare)
                + remedy + ".")
        }
        if !missingSlices.isEmpty {
            warnings.append("\(SliceNames.runs(of: missingSlices)) \(SliceNames.axis(axis)), "
                + "\(missingSlices.count) in all, have nothing of the lung mask, which goes on beyond: lesions there "
                + "are not counted; give a mask without a gap.")
        }
        let over = emptySlices.filter { voxelsBySlice[$0] > 0 }
        if !over.isEmpty {
            warnings.append("The lung mask reaches into \(over.count) slice\(over.count == 1 ? "" : "s") of which the "
                + "CT holds one value only: shares count them as lung without lesions; give the whole CT, or the mask "
                + "of what was scanned.")
        }
        return warnings
    }
}
