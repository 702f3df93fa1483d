import Imaging

/// What `quintet demo` shows of this recipe: networks that have learnt from healthy chests only find lesions that the
/// generator did not make.
enum LungDemonstration {
    static let demonstration = Demonstration(
        details: """
            Makes chest CTs; trains the replicas with two worker processes, kills one of them with SIGKILL on the way
            and lets another finish its replica; segments diseased CTs that no training ever saw, whose lesions are
            not made by the generator that trained it; compares with the truth.
            """,
        values: ["--preset": ["demo"]],
        phantomText: "made-up chest CTs, healthy ones to learn from, diseased ones to find lesions in",
        preparationText: "lung masks made here, no mask is given",
        answerText: "diseased CTs that training never saw, every answer by majority",
        tableText: "\"none\": nothing is called healthy; \"oracle\": a network that is exactly right.",
        noun: "Made-up chest CTs", findingNoun: "lesion", window: SliceRenderer.lungWindow,
        claims: [
            DemonstrationClaim(
                row: "none", margin: 0.10,
                text: "the vote's Dice (%VOTE%) is at least 10 points above \"none\" (%ROW%)"),
            DemonstrationClaim(row: "oracle", share: 0.75, text: "it is at least three quarters of \"oracle\" (%ROW%)"),
            DemonstrationClaim(row: "members", text: "it is at least the mean of its members (%ROW%)"),
        ])
}
