import Imaging

/// What this recipe's answers are: files, figures, and what of both can be true.
enum LiverAnswers {
    struct Figures: Codable, Sendable {
        var tumourML: Double
        var tumourPercent: Double
        var liverML: Double
        /// What qualifies them; nil where nothing does.
        var warnings: [String]?

        init(_ liver: PreparedLiver, tumour: Mask) {
            func ml(_ mask: Mask) -> Double { Double(mask.voxels.count { $0 > 0 }) * mask.geometry.voxelML }
            tumourML = ml(tumour)
            liverML = ml(liver.sourceLiver)
            tumourPercent = liverML > 0 ? 100 * tumourML / liverML : 0
            warnings = liver.warnings.isEmpty ? nil : liver.warnings
        }
    }

    static let guide = AnswerGuide(
        summary: "Find tumours in livers of an archive of CTs with a trained ensemble.",
        options: [],
        details: """
              DIR/NAME.nii.gz          tumours by majority vote
              DIR/livers/NAME.nii.gz   the liver mask that was given
              DIR/archive.csv          tumour volume, its share of the liver, refused inputs, as they come
              DIR/report.html          the same to look at, with pictures
            Every CT needs the mask of its liver: --masks.
            """,
        masks: [
            AnswerMask(
                role: "mask", folder: "", isOfAnswer: true,
                concept: MaskConcept(
                    label: "Tumours", about: "Tumour by majority vote of the replicas", category: .abnormalStructure,
                    type: .neoplasm, region: .liver)),
            AnswerMask(
                role: "liver", folder: "livers", isOfAnswer: false, isRegion: true,
                concept: MaskConcept(
                    label: "Liver", about: "Where tumours were looked for", category: .anatomicalStructure,
                    type: .liver)),
        ],
        figures: [
            AnswerFigure(name: "tumourML", column: "tumour_ml"),
            AnswerFigure(name: "tumourPercent", column: "tumour_percent"),
            AnswerFigure(name: "liverML", column: "liver_ml"),
        ],
        maskColumn: "liver_mask", maskName: "liverMask", givenMaskRole: "liver", step: "finish",
        truthNoun: "true tumour masks", referenceNames: ["none", "oracle"],
        referenceDetails: """
            "none" calls the whole liver
            tumour, which needs no network; "oracle" is the truth on the networks' grid and back: what a network that
            is exactly right can reach at best.
            """, rankedBy: "tumourPercent", limits: limits, window: -100...200)

    private static let limits = [
        "It finds what it would restore otherwise than it is, within the mask of the liver that comes with each CT: "
            + "tumours, and cysts, vessels and calcifications that it has not learnt. It tells none from another.",
        "It learnt shapes and brightnesses that were made up; tumours that look otherwise may be missed.",
    ]

    static func problem(in figures: [String: Double]) -> String? {
        guard !figures.values.allSatisfy((0...1e16).contains) else { return nil }
        return "\(figures["tumourML"] ?? .nan) ml of tumour in \(figures["liverML"] ?? .nan) ml of liver"
    }

    static func warning(about counts: TruthCounts) -> String? {
        guard counts.truth > 0, counts.region > 0 else { return nil }
        if 2 * counts.shared < counts.truth {
            return "\(100 * (counts.truth - counts.shared) / counts.truth)% of the truth lies outside of the liver; is "
                + "it a mask of its tumours, and of this scan?"
        }
        guard 100 * counts.shared > 97 * counts.region else { return nil }
        return "the truth holds \(100 * counts.shared / counts.region)% of the liver; is it a mask of tumours?"
    }
}
