/// What this recipe's commands ask a coordinator for.
enum LiverPlans {
    /// Each replica's restoring network, then on what it restores, frozen, its segmenting one.
    static func training(_ configuration: LiverRunConfiguration) -> RecipePlan {
        RecipePlan(name: "train", steps: [
            .init(
                "restore", .session(iterationCount: configuration.restoreIterations), .eachReplica, reads: [.run]),
            .init(
                "segment", .session(iterationCount: configuration.segmentIterations), .eachReplica,
                reads: [.run, .step("restore", role: "replica")], near: "restore"),
        ])
    }

    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid.
    static func segmenting(hasMemberAnswers: Bool) -> RecipePlan {
        let ballots: [RecipePlan.Input] = hasMemberAnswers ? [.step("predict", role: "votes")] : []
        return RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")] + ballots, near: "predict"),
        ])
    }
}
