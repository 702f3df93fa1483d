extension RecipePlan {
    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid, by preference
    /// where the prepared volume is: steps "predict", "vote" and "finish".
    /// - Parameters:
    ///   - hasBallots: whether the last step reads the ballots, too: for the replicas' own answers, or to
    ///     say how far they agree. Where that is the worker that made them, they do not travel again.
    ///   - roles: what else "predict" makes and the last step reads.
    static func voting(hasBallots: Bool, alsoFinishing roles: [String] = []) -> RecipePlan {
        let ballots: [RecipePlan.Input] = hasBallots ? [.step("predict", role: "votes")] : []
        let others = roles.map { RecipePlan.Input.step("predict", role: $0) }
        return RecipePlan(name: "segment", steps: [
            .init("predict", .task, .eachItem, reads: [.run, .item], isTransient: true),
            .init("vote", .vote, .eachItem, reads: [.step("predict", role: "votes")], isTransient: true),
            .init("finish", .task, .eachItem, reads: [.item, .step("vote")] + ballots + others, near: "predict"),
        ])
    }
}
