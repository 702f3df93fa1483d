/// Lines for people, from any thread:
///
///     let log = Log { level, text in Console.error(text) }
///     log("serving 3 workers")
///     log.problem("the disk is full")
public struct Log: Sendable {
    /// Who wants to hear only of what goes wrong leaves the notices out.
    public enum Level: Sendable { case notice, problem }

    private let write: @Sendable (Level, String) -> Void

    public init(_ write: @escaping @Sendable (Level, String) -> Void) { self.write = write }

    /// To nobody.
    public static let none = Log { _, _ in }

    /// What goes as it should.
    public func callAsFunction(_ text: String) { write(.notice, text) }

    /// What somebody may have to do something about.
    public func problem(_ text: String) { write(.problem, text) }

    public func callAsFunction(_ level: Level, _ text: String) { write(level, text) }

    /// The same with every line changed.
    public func map(_ change: @escaping @Sendable (String) -> String) -> Log { Log { write($0, change($1)) } }
}
