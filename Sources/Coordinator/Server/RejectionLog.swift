import Protocol

/// The lines about peers that were sent away: the first ones of a second in full, of a flood only how many more there
/// were, so that no peer can fill a disk.
struct RejectionLog {
    private var waiting: [String] = []
    private var leftOutCount = 0
    private var writtenCount = 0
    private var secondBeganMilliseconds: UInt64 = 0

    mutating func note(_ line: String) {
        if waiting.count < Limits.rejectionLinesPerSecondMax { waiting.append(line) } else { leftOutCount += 1 }
    }

    /// What to write now.
    mutating func lines(at nowMilliseconds: UInt64) -> [String] {
        var lines: [String] = []
        if nowMilliseconds >= secondBeganMilliseconds + 1_000 {
            if leftOutCount > 0 { lines.append("\(leftOutCount) more connections were ended or turned away") }
            (secondBeganMilliseconds, writtenCount, leftOutCount) = (nowMilliseconds, 0, 0)
        }
        let now = waiting.prefix(Limits.rejectionLinesPerSecondMax - writtenCount)
        leftOutCount += waiting.count - now.count
        writtenCount += now.count
        waiting = []
        return lines + now
    }
}
