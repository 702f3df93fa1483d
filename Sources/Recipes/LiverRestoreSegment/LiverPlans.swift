/// What this recipe's commands ask a coordinator for.
enum LiverPlans {
    /// Each replica's restoring network, then on what it restores, frozen, its segmenting one; or both at once, and
    /// then each into a file of its own.
    static func training(_ configuration: LiverRunConfiguration) -> RecipePlan {
        guard !configuration.preset.trainsTogether else {
            let both = RecipePlan.Input.step("together", role: "replica")
            return RecipePlan(name: "train", steps: [
                .init(
                    "together", .session(iterationCount: configuration.restoreIterations), .eachReplica,
                    reads: [.run]),
                .init("restore", .task, .eachReplica, reads: [both], near: "together"),
                .init("segment", .task, .eachReplica, reads: [both], near: "together"),
            ])
        }
        return RecipePlan(name: "train", steps: [
            .init(
                "restore", .session(iterationCount: configuration.restoreIterations), .eachReplica, reads: [.run]),
            .init(
                "segment", .session(iterationCount: configuration.segmentIterations), .eachReplica,
                reads: [.run, .step("restore", role: "replica")], near: "restore"),
        ])
    }
}
