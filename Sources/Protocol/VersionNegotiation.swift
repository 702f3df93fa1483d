/// Which version of the protocol two peers speak.
///
/// The frame, the four bytes before it, the first three fields of `Hello` (lowest version, highest version, build)
/// and the whole of `Refusal` are the same in every version, so that any two programs can at least say that they do
/// not fit. The rest of `Hello` has the layout of the lowest version that it offers.
///
/// Version 2 added to `Hello` a worker's memory, to `Submission` its label, its sender and the memory of a step, and
/// the messages `leave` and `forget` to `drain`. A peer of version 1 is refused by name: without knowing a worker's
/// memory a coordinator would send it what kills it.
public enum VersionNegotiation {
    public static let versionMin: UInt16 = 2
    public static let versionMax: UInt16 = 2

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
        let older = theirMax < ourMin ? theirBuild : ourBuild
        return .refused(
            Refusal(
                code: .version,
                message: "no common protocol version: \(ourBuild) speaks \(range(ourMin, ourMax)), "
                    + "\(theirBuild) speaks \(range(theirMin, theirMax)); update \(older), the older one"))
    }

    static func isSpoken(_ low: UInt16, _ high: UInt16) -> Bool {
        low <= high && low <= versionMax && high >= versionMin
    }

    private static func range(_ low: UInt16, _ high: UInt16) -> String {
        low == high ? "\(low)" : "\(low) to \(high)"
    }
}
