/// Lines for people, from any thread:
///
///     let log = Log { level, text in Console.error(text) }
///     log("serving 3 workers")
///     log.problem("the disk is full")
public struct Log: Sendable {
    /// Who wants to hear only of what goes wrong leaves the notices out.
    public enum Level: Sendable { case notice, problem }

    private let hearsNotices: Bool
    private let write: @Sendable (Level, String) -> Void

    /// - Parameter level: .problem: nobody hears notices, and none is put into words.
    public init(from level: Level = .notice, _ write: @escaping @Sendable (Level, String) -> Void) {
        hearsNotices = level == .notice
        self.write = write
    }

    /// To nobody.
    public static let none = Log(from: .problem) { _, _ in }

    /// What goes as it should.
    public func callAsFunction(_ text: @autoclosure () -> String) { self(.notice, text()) }

    /// What somebody may have to do something about.
    public func problem(_ text: String) { write(.problem, text) }

    public func callAsFunction(_ level: Level, _ text: @autoclosure () -> String) {
        if hearsNotices || level == .problem { write(level, text()) }
    }

    /// The same with every line changed.
    public func map(_ change: @escaping @Sendable (String) -> String) -> Log {
        Log(from: hearsNotices ? .notice : .problem) { write($0, change($1)) }
    }
}
