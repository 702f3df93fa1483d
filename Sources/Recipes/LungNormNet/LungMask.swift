import Imaging
import Numerics

/// A CT's lungs on its own grid, as they were given or found, once it is plausible that they are lungs.
public struct LungMask: Sendable {
    public let mask: Mask
    /// What there is to say beside the figures that come of it: a sentence each, without the CT's name.
    public let warnings: [String]
    /// Of the CT.
    let continuity: SliceContinuity

    /// - Parameters:
    ///   - given: a file with the lungs, in any orientation on the CT's grid; nil: found by the built-in segmenter.
    ///   - labels: those of the file that are lungs; nil: all but 0.
    /// - Throws: `RecipeError.inputRefused` naming the file and what to do; `.interrupted`.
    public init(
        of ct: LoadedImage, given: LoadedImage?, labels: Set<Int>? = nil, pool: ThreadPool,
        isCancelled: () -> Bool = { false }
    ) throws {
        var said: [String] = []
        if let given {
            let reading = try Preparation.refusing { try given.maskReading(on: ct.source, labels: labels) }
            let remarks = given.source.warnings + reading.warnings
            guard reading.mask.voxels.contains(1) else {
                throw RecipeError.inputRefused("\(given.source.name): the lung mask is empty"
                    + (remarks.isEmpty ? "" : " (\(remarks.joined(separator: " ")))") + "; give one with the lungs in "
                    + "it, or leave it out to have it made")
            }
            mask = reading.mask
            said = remarks.map { "Lung mask \(given.source.name): \($0)" }
        } else {
            mask = try Self.found(in: ct, pool: pool, isCancelled: isCancelled)
        }
        if isCancelled() { throw RecipeError.interrupted }
        continuity = SliceContinuity(ct)
        warnings = said + MissingSlices.warnings(ct, lung: mask) + (try LungPlausibility(
            content: LungContent(ct.volume, mask: mask, pool: pool), ct: ct, maskName: given?.source.name).warnings())
            + MaskShape(mask, orientation: ct.source.orientation).warnings(
                isMade: given == nil, emptySlices: given == nil ? [] : continuity.emptySlices)
    }

    private static func found(in ct: LoadedImage, pool: ThreadPool, isCancelled: () -> Bool) throws -> Mask {
        let canonical = ct.volume.reoriented(from: ct.source.orientation, to: .canonical)
        let found: Mask
        do {
            found = try LungSegmenter().segment(canonical, pool: pool, isCancelled: isCancelled)
        } catch .cancelled {
            throw RecipeError.interrupted
        } catch {
            let units = ValueUnits(ct.volume)
            throw RecipeError.inputRefused(units.areForeign
                ? "\(ct.source.name) is not in Hounsfield units: no lungs are found in it, and "
                    + units.explanation(lungMedian: nil)
                : (["\(ct.source.name): \(error)"] + SliceContinuity(ct).warnings + ValueLevels(ct).warnings)
                    .joined(separator: "; "))
        }
        var mask = found.reoriented(from: .canonical, to: ct.source.orientation)
        mask.geometry = ct.volume.geometry
        return mask
    }
}
