/// What a run of a recipe does, in which order: the recipe's own words, which the command line turns into the plan that
/// a coordinator carries out. Steps name each other by their labels.
public struct RecipePlan: Sendable, Equatable {
    /// What people call runs of this plan: "train" where weights come of it, "segment" where answers do.
    public var name: String
    /// Each after those that it reads.
    public var steps: [Step]

    public init(name: String, steps: [Step]) {
        self.name = name
        self.steps = steps
    }

    /// How a step is done.
    public enum Kind: Sendable, Equatable {
        /// Long, with checkpoints from which another worker goes on.
        case session(iterationCount: Int)
        /// Short; done again from its beginning.
        case task
        /// The majority of the bits that another step has made, a ballot for each replica; no recipe computes it.
        case vote
    }

    /// How often a step is done.
    public enum Fan: Sendable, Equatable {
        case once
        case eachReplica
        /// For each volume of an archive.
        case eachItem
    }

    /// What a step reads.
    public enum Input: Sendable, Equatable {
        /// What was submitted with the run: the data set's files, or the replicas.
        case run
        /// The volume's own files.
        case item
        /// What an earlier step has made: for the same replica or volume where both are done for each, else all of it.
        /// Only files of that role; "" for all.
        case step(String, role: String = "")
    }

    /// One step.
    public struct Step: Sendable, Equatable {
        /// As `RecipeStep.label` has it. Unique in its plan.
        public var label: String
        public var kind: Kind
        public var fan: Fan
        public var inputs: [Input]
        /// What it has made is kept only until every step that reads it is done.
        public var isTransient: Bool
        /// An earlier step, done as often, whose worker is asked first, because it still holds something.
        public var near: String?

        public init(
            _ label: String, _ kind: Kind, _ fan: Fan, reads inputs: [Input], isTransient: Bool = false,
            near: String? = nil
        ) {
            (self.label, self.kind, self.fan, self.inputs) = (label, kind, fan, inputs)
            (self.isTransient, self.near) = (isTransient, near)
        }
    }

    /// The labels of its sessions, in order.
    public var sessions: [String] {
        steps.compactMap { if case .session = $0.kind { $0.label } else { nil } }
    }
}
