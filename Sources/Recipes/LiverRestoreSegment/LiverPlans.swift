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
}
