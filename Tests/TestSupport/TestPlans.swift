import Protocol

/// The plans that most tests are about: those of the first recipe.
extension Plan {
    /// Each replica's training, then once what is made of all of them.
    package static func training(_ iterationCount: Int) -> Plan {
        Plan(name: "train", steps: [
            Step(
                label: "train", kind: .session, fan: .replica, inputs: [StepInput(.run)],
                iterationCount: UInt32(iterationCount)),
            Step(
                label: "calibrate", kind: .task, fan: .once,
                inputs: [StepInput(.run), StepInput(.step(0), role: "replica")]),
        ])
    }

    /// Of each item the ballots, their majority, and what is made of it, by preference where the ballots were made.
    package static var segmenting: Plan {
        Plan(name: "segment", steps: [
            Step(
                label: "predict", kind: .task, fan: .item, inputs: [StepInput(.run), StepInput(.item)],
                keep: .untilConsumed),
            Step(
                label: "vote", kind: .vote, fan: .item, inputs: [StepInput(.step(0), role: "votes")],
                keep: .untilConsumed),
            Step(
                label: "finish", kind: .task, fan: .item,
                inputs: [StepInput(.item), StepInput(.step(1)), StepInput(.step(0), role: "votes")], affinity: 0),
        ])
    }
}
