/// The hours of the day in which a worker may compute, by its machine's clock: "20-7" is from eight in the evening to
/// seven in the morning, "22:30-6:15" and "12-13,20-7" are understood as well.
public struct WorkingHours: Hashable, Sendable, CustomStringConvertible {
    /// Minutes since midnight: from, and until before; over midnight where the end comes first.
    private let spans: [(from: Int, to: Int)]
    public let description: String

    /// - Returns: nil for what is no such text; also for "7-7", of which nobody knows whether it is all or nothing.
    public init?(_ text: String) {
        var spans: [(from: Int, to: Int)] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { Self.minutes(String($0)) }
            guard ends.count == 2, let from = ends[0], let to = ends[1], from != to, from < 1440 else { return nil }
            spans.append((from, to))
        }
        self.spans = spans
        description = text
    }

    /// - Parameter minute: since midnight.
    public func contain(minute: Int) -> Bool {
        spans.contains { $0.from < $0.to ? ($0.from..<$0.to).contains(minute) : minute >= $0.from || minute < $0.to }
    }

    public static func == (a: WorkingHours, b: WorkingHours) -> Bool { a.spans.elementsEqual(b.spans, by: ==) }
    public func hash(into hasher: inout Hasher) { for span in spans { hasher.combine([span.from, span.to]) } }

    /// "7", "07", "7:30", and 24 for midnight at an end.
    private static func minutes(_ text: String) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ (1...2).contains($0.count) && $0.allSatisfy(\.isASCIIDigit) }),
            let hour = Int(parts[0]), let minute = parts.count == 2 ? Int(parts[1]) : 0, minute < 60
        else { return nil }
        return hour * 60 + minute <= 1440 ? hour * 60 + minute : nil
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { ("0"..."9").contains(self) }
}
