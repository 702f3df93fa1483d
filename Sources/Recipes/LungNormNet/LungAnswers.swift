import Imaging

/// What this recipe's answers are: files, figures, and what of both can be true.
enum LungAnswers {
    static let guide = AnswerGuide(
        summary: "Find lesions in an archive of CTs with a trained ensemble.",
        options: [Option("--threshold", "P", "healthy above this probability; default: the run's")]
            + LungExtra.allCases.map(\.option),
        details: """
              DIR/NAME.nii.gz                   lesions by majority vote, grown
              DIR/without-growing/NAME.nii.gz   before growing
              DIR/lungs/NAME.nii.gz             the lung mask that was given or made
              DIR/archive.csv                   lesion volume, involved share of the lung, refused inputs, as they come
              DIR/report.html                   the same to look at, with pictures
            A lung mask made here leaves out lung that is as dense as tissue over more than about 2 cm, so that the
            involved share is too small then: give one with --masks.
            """,
        masks: [
            AnswerMask(
                role: "mask", folder: "", isOfAnswer: true,
                concept: MaskConcept(
                    label: "Lesions", about: "Not healthy by majority vote of the replicas, grown",
                    category: .abnormalStructure, type: .lesion, region: .lung)),
            AnswerMask(
                role: "core", folder: "without-growing", isOfAnswer: true, scoreKey: "withoutGrowing",
                scoreTitle: "not grown"),
            AnswerMask(
                role: "lung", folder: "lungs", isOfAnswer: false, isRegion: true,
                concept: MaskConcept(
                    label: "Lungs", about: "Where lesions were looked for", category: .anatomicalStructure,
                    type: .lung)),
        ] + LungExtra.allCases.flatMap(\.masks),
        figures: [
            AnswerFigure(name: "lesionML", column: "lesion_ml"),
            AnswerFigure(name: "lesionPercent", column: "lesion_percent"),
            AnswerFigure(name: "lungML", column: "lung_ml"),
            AnswerFigure(name: "lesionWithoutGrowingML", column: "lesion_without_growing_ml"),
            AnswerFigure(name: "lesionCount", column: "lesion_count", digits: 0),
            AnswerFigure(name: "leftLesionML", column: "left_lesion_ml"),
            AnswerFigure(name: "rightLesionML", column: "right_lesion_ml"),
            AnswerFigure(name: "leftLungML", column: "left_lung_ml"),
            AnswerFigure(name: "rightLungML", column: "right_lung_ml"),
            AnswerFigure(name: "seenByAllPercent", column: "seen_by_all_percent", isOptional: true),
            AnswerFigure(name: "seenByAllButOnePercent", column: "seen_by_all_but_one_percent", isOptional: true),
            AnswerFigure(name: "seenByAllButTwoPercent", column: "seen_by_all_but_two_percent", isOptional: true),
        ] + regions,
        parts: AnswerParts(
            option: LungExtra.numbered.option.name, key: "lesions", fileName: "lesions.csv",
            figures: [
                AnswerFigure(name: "number", column: "number", digits: 0),
                AnswerFigure(name: "lesionML", column: "lesion_ml"),
                AnswerFigure(name: "centreXMM", column: "centre_x_mm", digits: 1),
                AnswerFigure(name: "centreYMM", column: "centre_y_mm", digits: 1),
                AnswerFigure(name: "centreZMM", column: "centre_z_mm", digits: 1),
                AnswerFigure(name: "meanHU", column: "mean_hu", digits: 1),
                AnswerFigure(name: "rightPercent", column: "right_percent", digits: 1),
                AnswerFigure(name: "upperPercent", column: "upper_percent", digits: 1),
                AnswerFigure(name: "lowerPercent", column: "lower_percent", digits: 1),
                AnswerFigure(name: "rimPercent", column: "rim_percent", digits: 1),
            ]),
        maskColumn: "lung_mask", maskName: "lungMask", givenMaskRole: "lung", step: "finish",
        truthNoun: "true lesion masks", referenceNames: ["none", "oracle"],
        referenceDetails: """
            "none" is what post-processing
            alone finds when nothing is called healthy; a method not clearly above it has learnt nothing. "oracle" is
            a network that is exactly right: what the post-processing can reach at best.
            """, rankedBy: "lesionPercent", agreement: "seenByAllPercent", limits: limits,
        window: SliceRenderer.lungWindow,
        memoryByteCount: memoryByteCount)

    /// Thirds of each side; older workers do not count them.
    private static let regions = ["Lesion", "Lung"].flatMap { what in
        ["left", "right"].flatMap { side in
            ["Upper", "Middle", "Lower"].map { third in
                AnswerFigure(
                    name: "\(side)\(third)\(what)ML",
                    column: "\(side)_\(third)_\(what)_ml".lowercased(), isOptional: true, isDetail: true)
            }
        }
    }

    /// Measured with preset demo: 319 MB for 19.8 million voxels, some 11 bytes for one more. Finer grids need more.
    static func memoryByteCount(_ shape: VolumeShape) -> UInt64 { 128 << 20 + 12 * UInt64(shape.voxelCount) }

    private static let limits = [
        "It finds what is bright in the lung and not like what it has learnt as healthy: infection, scars, "
            + "tumours, collapsed lung, vessels and motion that it has not learnt. It tells none from another.",
        "CTs in HU, 12 mm and more from top to bottom; below 30 mm, and from slices of 5 mm on, figures are less "
            + "certain than they look, and rows say so. Findings on a single slice are lost.",
        "A lung mask that the program makes leaves out lung that is as dense as tissue over more than about 2 cm: give "
            + "one where that matters.",
    ]

    /// More than the largest volume holds, or less than nothing.
    static func problem(in figures: [String: Double]) -> String? {
        guard !figures.values.allSatisfy((0...1e16).contains) else { return nil }
        return "\(figures["lesionML"] ?? .nan) ml of lesions in \(figures["lungML"] ?? .nan) ml of lung"
    }

    /// A truth that is turned inside out, or a mask of lungs or of the body, has plausible precision, too.
    static func warning(about counts: TruthCounts) -> String? {
        guard counts.truth > 0, counts.region > 0 else { return nil }
        if 2 * counts.shared < counts.truth {
            return "\(100 * (counts.truth - counts.shared) / counts.truth)% of the truth lies outside of the lungs; is "
                + "it a mask of their lesions, and of this scan?"
        }
        guard 100 * counts.shared > 97 * counts.region else { return nil }
        return "the truth holds \(100 * counts.shared / counts.region)% of the lungs; is it a mask of lesions?"
    }
}
