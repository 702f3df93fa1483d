import Protocol

/// The plans of the first recipe: what its commands ask a coordinator for.
enum LungPlans {
    /// Each replica's training, then one threshold for all of them.
    static func training(iterationCount: Int) -> Plan {
        Plan(name: "train", steps: [
            Step(
                label: "train", kind: .session, fan: .replica, inputs: [StepInput(.run)],
                iterationCount: UInt32(iterationCount)),
            Step(
                label: "calibrate", kind: .task, fan: .once,
                inputs: [StepInput(.run), StepInput(.step(0), role: "replica")]),
        ])
    }

    /// Of each volume every replica's votes, their majority, and from it the answer on the CT's own grid, by preference
    /// where the prepared volume is.
    /// - Parameter hasMemberAnswers: whether the replicas' own answers are wanted; only then do ballots travel again.
    static func segmenting(hasMemberAnswers: Bool) -> Plan {
        let ballots = hasMemberAnswers ? [StepInput(.step(0), role: "votes")] : []
        return Plan(name: "segment", steps: [
            Step(
                label: "predict", kind: .task, fan: .item, inputs: [StepInput(.run), StepInput(.item)],
                keep: .untilConsumed),
            Step(
                label: "vote", kind: .vote, fan: .item, inputs: [StepInput(.step(0), role: "votes")],
                keep: .untilConsumed),
            Step(
                label: "finish", kind: .task, fan: .item,
                inputs: [StepInput(.item), StepInput(.step(1))] + ballots, affinity: 0),
        ])
    }
}
