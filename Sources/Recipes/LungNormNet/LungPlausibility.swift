import Foundation
import Imaging

/// Whether what lies under a lung mask can be lung: what cannot be is refused by name, what is seldom gets a warning.
/// Severe disease fills lungs with what looks like soft tissue, so that by itself is never refused. The thresholds lie
/// between what was measured on lungs and on what is none (docs/METHOD.md).
struct LungPlausibility {
    /// The median in good lungs, as measured.
    static let goodMedianHU = "-831 to -876 HU"
    static let volumeML = 500.0...10_000
    /// More is no lung of a human being, whatever the voxel size.
    static let volumeMaxML = 15_000.0
    /// With less than this share of air nothing is lung.
    static let airShareMin = 0.05
    static let medianMaxHU: Float = -300
    /// Below is air outside of a body, or what fills the corners of a scan.
    static let medianMinHU: Float = -980
    static let seldomMedianHU: Float = -600
    static let seldomLowMedianHU: Float = -950

    let content: LungContent
    let ct: LoadedImage
    /// Of the mask's file; nil where it was made here.
    let maskName: String?

    /// - Throws: `RecipeError.inputRefused`.
    /// - Returns: a sentence for each warning, without the CT's name.
    func warnings() throws -> [String] {
        if let refusal { throw RecipeError.inputRefused(refusal) }
        return [volumeWarning, contentWarning, placeWarning].compactMap { $0 }
    }

    private var name: String { ct.source.name }
    private var mask: String { maskName.map { "the lung mask \($0)" } ?? "the lung mask made here" }
    private func percent(_ share: Double) -> String { String(format: "%.1f%%", 100 * share) }
    private func litres(_ volumeML: Double) -> String { String(format: "%.2f l", volumeML / 1000) }
    private var median: String {
        String(format: abs(content.medianHU) < 2 ? "%.2f" : "%.0f", content.medianHU)
    }

    private var refusal: String? {
        if content.airShare < Self.airShareMin, content.medianHU > Self.medianMaxHU {
            let evidence = "the median inside \(mask) is \(median), where good lungs had \(Self.goodMedianHU), and "
                + "\(percent(content.airShare)) of it is below \(Int(LungContent.airHU)) HU"
            let units = ValueUnits(ct.volume)
            if units.areForeign {
                return "\(name) is not in Hounsfield units: \(evidence); "
                    + units.explanation(lungMedian: content.medianHU)
            }
            return "\(maskName ?? name) is no lung mask of \(name): \(evidence); give the mask of its lungs, or leave "
                + "--masks out to have it made"
        }
        if content.medianHU < Self.medianMinHU {
            let evidence = "the median inside \(mask) is \(median), where good lungs had \(Self.goodMedianHU)"
            let units = ValueUnits(ct.volume)
            return units.offset(lungMedian: content.medianHU) != nil
                ? "\(name) is not in Hounsfield units: \(evidence); " + units.explanation(lungMedian: content.medianHU)
                : "\(name): \(evidence): it lies on air outside of the body; give the mask of its lungs, or leave "
                    + "--masks out to have it made"
        }
        if content.volumeML > Self.volumeMaxML
            || content.volumeML > Self.volumeML.upperBound && content.tissueShare > 0.4 {
            return "\(name): \(mask) holds \(litres(content.volumeML)), of which \(percent(content.tissueShare)) is "
                + "soft tissue or bone; lungs have 0.5 to 10 l: check the voxel size, and that the mask is of lungs"
        }
        if isOfAnother {
            return "\(name): \(mask) does not fit it: \(percent(content.tissueShare)) of it lies on soft tissue and "
                + "\(percent(content.boneShare)) on bone, while \(percent(content.airBesideShare)) of what lies beside "
                + "it is air; it is another patient's, mirrored or shifted: give this CT's own"
        }
        return nil
    }

    /// Half on tissue and bone, with lung left beside it. Disease makes the one, a mask that is too small the other;
    /// bone inside takes both to the wrong place.
    private var isOfAnother: Bool {
        content.tissueShare >= 0.15 && content.airBesideShare >= 0.2 && content.boneShare >= 0.005
    }

    private var volumeWarning: String? {
        if content.volumeML < Self.volumeML.lowerBound {
            return "The lung mask holds \(litres(content.volumeML)), less than the 0.5 l of lungs: only a part of "
                + "them? Shares are of this part."
        }
        guard content.volumeML > Self.volumeML.upperBound else { return nil }
        return "The lung mask holds \(litres(content.volumeML)), more than the 10 l of the largest lungs: check the "
            + "voxel size and the mask."
    }

    private var contentWarning: String? {
        if content.medianHU > Self.seldomMedianHU {
            return "The median inside the lung mask is \(median) HU, where good lungs had \(Self.goodMedianHU), and "
                + "\(percent(content.airShare)) of it is below \(Int(LungContent.airHU)) HU: severe disease, or "
                + "another unit or mask; look at it."
        }
        guard content.medianHU < Self.seldomLowMedianHU else { return nil }
        return "The median inside the lung mask is \(median) HU, where good lungs had \(Self.goodMedianHU): severe "
            + "emphysema, or values with another offset; look at it."
    }

    private var placeWarning: String? {
        if content.airShare > 0.995 {
            return "Everything under the lung mask is below \(Int(LungContent.airHU)) HU, as if by a threshold: "
                + "lesions, which are denser, are left out of it."
        }
        if content.tissueShare >= 0.04, content.airBesideShare >= 0.12 {
            return "\(percent(content.tissueShare)) of the lung mask lies on soft tissue while "
                + "\(percent(content.airBesideShare)) of what lies beside it is air: is it this CT's own?"
        }
        if content.airBesideShare >= 0.5 {
            return "\(percent(content.airBesideShare)) of what lies beside the lung mask is air: it covers a part of "
                + "the lungs only."
        }
        guard content.tissueShare >= 0.15, content.boneShare >= 0.01 else { return nil }
        return "\(percent(content.tissueShare)) of the lung mask is soft tissue and \(percent(content.boneShare)) "
            + "bone: it reaches into the chest wall."
    }
}
