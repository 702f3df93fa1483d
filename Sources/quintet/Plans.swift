import Protocol
import Recipes

extension Plan {
    /// A recipe's plan as a coordinator carries it out.
    init(_ plan: RecipePlan) {
        func index(_ label: String) -> Int {
            guard let index = plan.steps.firstIndex(where: { $0.label == label }) else {
                preconditionFailure("a recipe's plan reads a step '\(label)' that it does not have")
            }
            return index
        }
        self.init(name: plan.name, steps: plan.steps.map { step in
            var iterationCount: UInt32 = 0
            if case .session(let count) = step.kind { iterationCount = UInt32(count) }
            return Step(
                label: step.label, kind: StepKind(step.kind), fan: StepFan(step.fan),
                inputs: step.inputs.map { input in
                    switch input {
                    case .run: StepInput(.run)
                    case .item: StepInput(.item)
                    case .step(let label, let role): StepInput(.step(index(label)), role: role)
                    }
                },
                keep: step.isTransient ? .untilConsumed : .forRun, affinity: step.near.map(index),
                iterationCount: iterationCount)
        })
    }
}

extension StepKind {
    fileprivate init(_ kind: RecipePlan.Kind) {
        switch kind {
        case .session: self = .session
        case .task: self = .task
        case .vote: self = .vote
        }
    }
}

extension StepFan {
    fileprivate init(_ fan: RecipePlan.Fan) {
        switch fan {
        case .once: self = .once
        case .eachReplica: self = .replica
        case .eachItem: self = .item
        }
    }
}
