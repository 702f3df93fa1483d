/// What `quintet demo` shows of this recipe: networks that have seen healthy livers only find tumours that the
/// generator did not make.
enum LiverDemonstration {
    static let demonstration = Demonstration(
        details: """
            Makes abdominal CTs; trains the replicas' two networks one after the other with two worker processes, kills
            one of them with SIGKILL on the way and lets another finish its replica; finds tumours in diseased CTs that
            no training ever saw, which are not made by the generator that trained it; compares with the truth.
            """,
        values: ["--preset": ["demo"]],
        phantomText: "made-up abdominal CTs, healthy livers to learn from, diseased ones to find tumours in",
        preparationText: "slices of livers, by the masks that the phantoms come with",
        answerText: "diseased CTs that training never saw, every answer by majority",
        tableText: "\"none\": the whole liver is called tumour; \"oracle\": networks that are exactly right.",
        noun: "Made-up abdominal CTs", findingNoun: "tumour", window: -100...200,
        claims: [
            DemonstrationClaim(
                row: "none", margin: 0.10,
                text: "the vote's Dice (%VOTE%) is at least 10 points above \"none\" (%ROW%)"),
            DemonstrationClaim(row: "members", text: "it is at least the mean of its members (%ROW%)"),
        ])
}
