/// The number of each message in a frame's header. Never renumbered; a number once used is not used again.
public enum MessageType: UInt16, Sendable, CaseIterable {
    case hello = 1
    case welcome = 2
    case refusal = 3

    case idle = 16
    case heartbeat = 17
    case checkpointSaved = 18
    case finished = 19
    case surrender = 20

    case assignment = 32
    case heartbeatAnswer = 33
    case accepted = 34
    case revoke = 35
    case leave = 36

    case blobGet = 48
    case blobChunk = 49
    case blobOffer = 50
    case blobOffset = 51
    case blobPut = 52

    case submit = 64
    case submitted = 65
    case statusRequest = 66
    case status = 67
    case cancel = 68
    case outputsRequest = 69
    case outputs = 70
    case metricsRequest = 71
    case metrics = 72
    case forget = 73
    case pause = 74
    case resume = 75
    case prioritise = 76
    case drain = 77
    case appendItems = 78
    case closeItems = 79
    case watch = 80
    case changed = 81
    case readmit = 82
    case collected = 83
    case wantedRequest = 84
    case wanted = 85

    case follow = 96
    case following = 97
    case standbyPart = 98
    case standbyHas = 99
}

extension Message {
    public var type: MessageType {
        switch self {
        case .hello: .hello
        case .welcome: .welcome
        case .refusal: .refusal
        case .idle: .idle
        case .heartbeat: .heartbeat
        case .checkpointSaved: .checkpointSaved
        case .finished: .finished
        case .surrender: .surrender
        case .assignment: .assignment
        case .heartbeatAnswer: .heartbeatAnswer
        case .accepted: .accepted
        case .revoke: .revoke
        case .leave: .leave
        case .blobGet: .blobGet
        case .blobChunk: .blobChunk
        case .blobOffer: .blobOffer
        case .blobOffset: .blobOffset
        case .blobPut: .blobPut
        case .submit: .submit
        case .submitted: .submitted
        case .statusRequest: .statusRequest
        case .status: .status
        case .cancel: .cancel
        case .outputsRequest: .outputsRequest
        case .outputs: .outputs
        case .metricsRequest: .metricsRequest
        case .metrics: .metrics
        case .forget: .forget
        case .pause: .pause
        case .resume: .resume
        case .prioritise: .prioritise
        case .drain: .drain
        case .appendItems: .appendItems
        case .closeItems: .closeItems
        case .watch: .watch
        case .changed: .changed
        case .readmit: .readmit
        case .collected: .collected
        case .wantedRequest: .wantedRequest
        case .wanted: .wanted
        case .follow: .follow
        case .following: .following
        case .standbyPart: .standbyPart
        case .standbyHas: .standbyHas
        }
    }
}
