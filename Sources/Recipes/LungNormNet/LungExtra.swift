/// What is written about a CT beside its masks, where it is asked for.
public enum LungExtra: String, Codable, CaseIterable, Sendable {
    /// How many replicas call a voxel not healthy.
    case agreement
    /// What the replicas hold a voxel's probability to be a lesion, and how far they are apart.
    case probabilities
    /// The lesions one by one.
    case numbered

    var option: Option {
        switch self {
        case .agreement:
            Option("--agreement", nil, "DIR/agreement/NAME: how many replicas call a bright voxel not healthy")
        case .probabilities:
            Option(
                "--probabilities", nil,
                "DIR/probability/NAME and DIR/spread/NAME: the replicas' mean, and their standard deviation")
        case .numbered:
            Option("--numbered", nil, "DIR/numbered/NAME, lesion by lesion, and DIR/lesions.csv about each")
        }
    }

    /// Each once a volume.
    var masks: [AnswerMask] {
        let names = switch self {
        case .agreement: ["agreement"]
        case .probabilities: ["probability", "spread"]
        case .numbered: ["numbered"]
        }
        return names.map { AnswerMask(role: $0, folder: $0, isOfAnswer: false, option: option.name) }
    }
}
