extension RecipePlan {
    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid, by preference
    /// where the prepared volume is: steps "predict", "vote" and "finish".
    /// - Parameter hasBallots: whether the last step reads the ballots, too: for the replicas' own answers, or to say
    ///   how far they agree. Where that is the worker that made them, they do not travel again.
    static func voting(hasBallots: Bool) -> RecipePlan {
        let ballots: [RecipePlan.Input] = hasBallots ? [.step("predict", role: "votes")] : []
        return RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")] + ballots, near: "predict"),
        ])
    }
}
