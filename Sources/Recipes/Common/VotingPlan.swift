extension RecipePlan {
    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid, by preference
    /// where the prepared volume is: steps "predict", "vote" and "finish".
    /// - Parameter hasMemberAnswers: whether the replicas' own answers are wanted; only then do ballots travel again.
    static func voting(hasMemberAnswers: Bool) -> RecipePlan {
        let ballots: [RecipePlan.Input] = hasMemberAnswers ? [.step("predict", role: "votes")] : []
        return RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")] + ballots, near: "predict"),
        ])
    }
}
