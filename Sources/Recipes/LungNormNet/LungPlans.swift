/// What this recipe's commands ask a coordinator for.
enum LungPlans {
    /// Each replica's training, then one threshold for all of them.
    static func training(iterationCount: Int) -> RecipePlan {
        RecipePlan(name: "train", steps: [
            .init("train", .session(iterationCount: iterationCount), .eachReplica, reads: [.run]),
            .init("calibrate", .task, .once, reads: [.run, .step("train", role: "replica")]),
        ])
    }
}
