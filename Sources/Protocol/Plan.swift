// What a run consists of. The coordinator knows these words and no others: which steps there are, and what they
// compute, is a recipe's business.

/// How a step is done.
public enum StepKind: UInt8, Sendable, CaseIterable {
    /// Long, with checkpoints from which another worker goes on.
    case session = 1
    /// Short; done again from its beginning.
    case task = 2
    /// The coordinator's own: the majority of the bits that another step has made, a ballot for each replica.
    case vote = 3
}

/// How often a step is done.
public enum StepFan: UInt8, Sendable, CaseIterable {
    case once = 1
    /// Once for each replica of the run.
    case replica = 2
    /// Once for each of the run's items: the volumes of an archive.
    case item = 3
}

/// How long what a step has made is kept.
public enum StepKeep: UInt8, Sendable, CaseIterable {
    /// Until the run is forgotten.
    case forRun = 1
    /// Until every step that reads it is done.
    case untilConsumed = 2
}

/// Something that a step reads.
public struct StepInput: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// What was submitted with the run.
        case run
        /// The item's own blobs.
        case item
        /// What an earlier step of the plan has made: for the same replica or item where both are done for each, else
        /// all of it.
        case step(Int)
    }

    public var source: Source
    /// Only blobs of this role, of which every result of that step has one at least; empty for all that there are.
    public var role: String

    public init(_ source: Source, role: String = "") {
        self.source = source
        self.role = role
    }
}

/// One step of a plan.
public struct Step: Hashable, Sendable {
    /// What the recipe calls it: "train", "predict". Unique in its plan.
    public var label: String
    public var kind: StepKind
    public var fan: StepFan
    public var inputs: [StepInput]
    public var keep: StepKeep
    /// An earlier step, done as often, whose worker is asked first, because it still holds something.
    public var affinity: Int?
    /// session: its length. Else 0.
    public var iterationCount: UInt32

    public init(
        label: String, kind: StepKind, fan: StepFan, inputs: [StepInput], keep: StepKeep = .forRun,
        affinity: Int? = nil, iterationCount: UInt32 = 0
    ) {
        self.label = label
        self.kind = kind
        self.fan = fan
        self.inputs = inputs
        self.keep = keep
        self.affinity = affinity
        self.iterationCount = iterationCount
    }
}

/// The steps of a run, each after those that it reads.
public struct Plan: Hashable, Sendable {
    /// What people call runs of this plan: "train", "segment".
    public var name: String
    public var steps: [Step]

    public init(name: String, steps: [Step]) {
        self.name = name
        self.steps = steps
    }

    /// Whether the run is asked for items.
    public var hasItems: Bool { steps.contains { $0.fan == .item } }

    /// Steps that read what this one makes.
    public func readers(of index: Int) -> [Int] {
        steps.indices.filter { steps[$0].inputs.contains { $0.source == .step(index) } }
    }

    /// Whether what a step makes is on the run's list of outputs: of an item only what nothing else reads.
    public func isListed(_ index: Int) -> Bool { steps[index].fan != .item || readers(of: index).isEmpty }

    /// What is wrong with it, for its sender; nil where it can be carried out.
    public var problem: String? {
        if steps.isEmpty || steps.count > Limits.stepsMax {
            return "a plan of \(steps.count) steps; 1 to \(Limits.stepsMax) are possible"
        }
        if Set(steps.map(\.label)).count < steps.count { return "two steps of the plan have the same label" }
        for index in steps.indices {
            if let problem = problem(of: index) { return "step '\(steps[index].label)' of the plan \(problem)" }
        }
        return nil
    }

    private func problem(of index: Int) -> String? {
        let step = steps[index]
        if step.label.isEmpty { return "has no label" }
        if (step.kind == .session) != (step.iterationCount > 0) {
            return "has \(step.iterationCount) iterations; a session has at least one, others have none"
        }
        for input in step.inputs {
            guard input.role.isEmpty || input.role.isPlainName else {
                return "reads '\(input.role)'; a role is one word of letters, digits, '-', '_' and '.'"
            }
            switch input.source {
            case .run: break
            case .item: if step.fan != .item { return "reads an item and is not done for each" }
            case .step(let earlier):
                if earlier < 0 || earlier >= index { return "reads a step that is not before it" }
            }
            if step.kind == .vote, case .step(let earlier) = input.source, steps[earlier].kind == .task { continue }
            if step.kind == .vote { return "counts something else than a task's ballots" }
        }
        if step.kind == .vote, step.inputs.count != 1 { return "counts \(step.inputs.count) kinds of ballots, not one" }
        guard let affinity = step.affinity else { return nil }
        guard affinity >= 0, affinity < index, steps[affinity].fan == step.fan, steps[affinity].kind != .vote else {
            return "follows a worker of a step that is not before it, done as often"
        }
        return nil
    }
}

extension Step {
    static let bytesMin = 12

    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        try writer.write(label: label, "step.label", max: Limits.stepLabelBytesMax)
        writer.write(kind.rawValue)
        writer.write(fan.rawValue)
        writer.write(keep.rawValue)
        writer.write(affinity.map { UInt8(clamping: $0 + 1) } ?? 0)
        writer.write(iterationCount)
        try writer.write(list: inputs, "step.inputs", max: Limits.stepInputsMax) {
            (writer, input) throws(ProtocolError) in
            // 0: the run's; 1: the item's; from 2 on: those of a step.
            switch input.source {
            case .run: writer.write(UInt8(0))
            case .item: writer.write(UInt8(1))
            case .step(let index): writer.write(UInt8(clamping: index + 2))
            }
            try writer.write(label: input.role, "step.input.role", max: Limits.roleBytesMax)
        }
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        let label = try reader.label("step.label", max: Limits.stepLabelBytesMax)
        let kind: StepKind = try reader.code("step.kind")
        let fan: StepFan = try reader.code("step.fan")
        let keep: StepKeep = try reader.code("step.keep")
        let affinity: UInt8 = try reader.number("step.affinity")
        let iterationCount: UInt32 = try reader.number("step.iterationCount")
        let inputs = try reader.list("step.inputs", max: Limits.stepInputsMax, elementBytesMin: 2) {
            (reader) throws(ProtocolError) in
            let source: UInt8 = try reader.number("step.input.source")
            let role = try reader.label("step.input.role", max: Limits.roleBytesMax)
            return StepInput(source == 0 ? .run : source == 1 ? .item : .step(Int(source) - 2), role: role)
        }
        self.init(
            label: label, kind: kind, fan: fan, inputs: inputs, keep: keep,
            affinity: affinity == 0 ? nil : Int(affinity) - 1, iterationCount: iterationCount)
    }
}

extension Plan {
    func write(to writer: inout ByteWriter) throws(ProtocolError) {
        try writer.write(label: name, "plan.name", max: Limits.stepLabelBytesMax)
        try writer.write(list: steps, "plan.steps", max: Limits.stepsMax) {
            (writer, step) throws(ProtocolError) in try step.write(to: &writer)
        }
    }

    init(from reader: inout ByteReader) throws(ProtocolError) {
        let name = try reader.label("plan.name", max: Limits.stepLabelBytesMax)
        let steps = try reader.list("plan.steps", max: Limits.stepsMax, elementBytesMin: Step.bytesMin) {
            (reader) throws(ProtocolError) in try Step(from: &reader)
        }
        self.init(name: name, steps: steps)
        guard let problem else { return }
        throw .invalidValue(field: "plan", value: problem)
    }
}
