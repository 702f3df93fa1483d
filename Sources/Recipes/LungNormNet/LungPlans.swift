/// What this recipe's commands ask a coordinator for.
enum LungPlans {
    /// Each replica's training, then one threshold for all of them.
    static func training(iterationCount: Int) -> RecipePlan {
        RecipePlan(name: "train", steps: [
            .init("train", .session(iterationCount: iterationCount), .eachReplica, reads: [.run]),
            .init("calibrate", .task, .once, reads: [.run, .step("train", role: "replica")]),
        ])
    }

    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid, by preference
    /// where the prepared volume is.
    /// - Parameter hasMemberAnswers: whether the replicas' own answers are wanted; only then do ballots travel again.
    static func segmenting(hasMemberAnswers: Bool) -> RecipePlan {
        let ballots: [RecipePlan.Input] = hasMemberAnswers ? [.step("predict", role: "votes")] : []
        return RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")] + ballots, near: "predict"),
        ])
    }
}
