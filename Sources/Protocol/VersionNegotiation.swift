/// Which version of the protocol two peers speak.
///
/// The frame, the four bytes before it, the first three fields of `Hello` (lowest version, highest version, build)
/// and the whole of `Refusal` are the same in every version, so that any two programs can at least say that they do
/// not fit. The rest of `Hello` has the layout of the lowest version that it offers.
///
/// Version 2 added to `Hello` a worker's memory, to `Submission` its label, its sender and the memory of a step, and
/// the messages `leave` and `forget` to `drain`. A peer of version 1 is refused by name: without knowing a worker's
/// memory a coordinator would send it what kills it. Version 3 has plans: a submission says its steps, and work,
/// outputs and figures name theirs by its label; outputs are numbered, and a client may `watch` a run. Version 4 has
/// archives that stream: items say their need of memory and where a shared file system has them, and leave the
/// coordinator when their answers are `collected`.
public enum VersionNegotiation {
    public static let versionMin: UInt16 = 4
    public static let versionMax: UInt16 = 4

    public enum Outcome: Hashable, Sendable {
        case agreed(UInt16)
        /// Text for both sides: who speaks what, and which one to update.
        case refused(Refusal)
    }

    /// The highest version that both speak.
    public static func choose(
        ourMin: UInt16 = versionMin, ourMax: UInt16 = versionMax, ourBuild: String,
        theirMin: UInt16, theirMax: UInt16, theirBuild: String
    ) -> Outcome {
        guard theirMin <= theirMax else {
            return .refused(
                Refusal(code: .malformed, message: "a version range from \(theirMin) to \(theirMax) is empty"))
        }
        let highest = min(ourMax, theirMax)
        if highest >= max(ourMin, theirMin) { return .agreed(highest) }
        let text = mismatch(
            coordinatorBuild: ourBuild, coordinatorMin: ourMin, coordinatorMax: ourMax, peerBuild: theirBuild,
            peerMin: theirMin, peerMax: theirMax)
        return .refused(Refusal(code: .version, message: text))
    }

    /// For whoever reads it beside the program that has dialled. Builds alone say nothing: two may be called the same.
    public static func mismatch(
        coordinatorBuild: String, coordinatorMin: UInt16, coordinatorMax: UInt16, peerBuild: String, peerMin: UInt16,
        peerMax: UInt16
    ) -> String {
        beginning + "(\(peerBuild)) speaks protocol \(range(peerMin, peerMax)), the coordinator (\(coordinatorBuild)) "
            + "protocol \(range(coordinatorMin, coordinatorMax)): "
            + (peerMax < coordinatorMin ? "this program is older, update it" : "the program there is older, update it")
    }

    /// What a refusal for the version says beside the program that has dialled: a coordinator of version 1 named the
    /// builds only, its own first.
    public static func explanation(of refusal: Refusal) -> String {
        if refusal.message.hasPrefix(beginning) { return refusal.message }
        let words = refusal.message.split { $0 == " " || $0 == "," }
        guard let index = words.firstIndex(of: "speaks"), index + 1 < words.count, let spoken = UInt16(words[index + 1])
        else {
            return "this program speaks protocol \(range(versionMin, versionMax)), which the coordinator does not: "
                + refusal.message
        }
        return "this program speaks protocol \(range(versionMin, versionMax)), the coordinator protocol \(spoken): "
            + (spoken < versionMin ? "the program there is older, update it" : "this program is older, update it")
    }

    private static let beginning = "this program "

    /// What a peer says that it speaks, for the coordinator's log.
    public static func spoken(_ low: UInt16, _ high: UInt16, by build: String) -> String {
        "its program (\(build)) speaks protocol \(range(low, high)), this coordinator \(range(versionMin, versionMax))"
    }

    static func isSpoken(_ low: UInt16, _ high: UInt16) -> Bool {
        low <= high && low <= versionMax && high >= versionMin
    }

    private static func range(_ low: UInt16, _ high: UInt16) -> String {
        low == high ? "\(low)" : "\(low) to \(high)"
    }
}
