import Platform

/// Which of several coordinators leads, by a folder on a file system that they share: each term is a file that one of
/// them has made, and that only one can make; the leader writes a sign of life beside it. No clocks are compared: who
/// waits counts by its own clock how long the sign has not changed.
///
///     leader-7   "lab3:7311 5f0c...", made once
///     sign-7     "41", one more each time
///
/// The leader gives up before anybody else may take over: `giveUpSeconds` is half of `takeOverSeconds`.
public struct LeaderFolder: Sendable {
    public let path: String
    /// How long a leader's sign has to stand still before another one takes over.
    public let takeOverSeconds: Double
    /// A standby that people have made the coordinator.
    public var isPromoted = false
    private let name: String
    private let sleep: @Sendable (UInt64) -> Void
    private var term: UInt64 = 0
    private var sign: UInt64 = 0
    private var signedMilliseconds: UInt64 = 0
    private var watched: (term: UInt64, sign: String, sinceMilliseconds: UInt64)?

    private var giveUpMilliseconds: UInt64 { UInt64(takeOverSeconds * 500) }
    private var signMilliseconds: UInt64 { UInt64(takeOverSeconds * 100) }

    /// Another coordinator leads, or this one can no longer say that it does.
    public struct LostLead: Error, Hashable, Sendable, CustomStringConvertible { public var description: String }

    /// - Parameter name: who this is, for people and to be told from all others: "lab3:7311 5f0c...". One folder of
    ///   state has one name, however often its process begins.
    public init(
        path: String, takeOverSeconds: Double, name: String,
        sleep: @escaping @Sendable (UInt64) -> Void = { MonotonicClock.sleep(milliseconds: $0) }
    ) {
        (self.path, self.takeOverSeconds, self.name, self.sleep) = (path, takeOverSeconds, name, sleep)
    }

    // MARK: - Leading

    /// Takes the next term, unless it has one from its time as a standby: at the start of a coordinator. Only whoever
    /// led last may go on, however long its sign has stood still: any other state lacks what was acknowledged since,
    /// even where all machines were down and this one is back first. Its own last term, which has certainly ended, is
    /// not waited for. A standby that people have promoted waits for the last leader's sign to stand still.
    /// - Throws: `LostLead` where another one leads, or led last; `FileError`.
    package mutating func takeUnlessTaken(log: Log) throws {
        guard term == 0 else { return }
        try FileSystem.makeFolder(path)
        let latest = try latestTerm()
        if latest > 0, try !isOurs(latest) {
            guard isPromoted else {
                throw LostLead(description: "\(holder(of: latest)) led last, says \(path): go on from its state, or "
                    + "follow it from an empty folder (--follow). If it and its standbys are gone for good, remove "
                    + "\(path) to go on from this state, which may lack what it has acknowledged since")
            }
            try waitUntilStill(latest, log)
        }
        try begin(latest + 1)
    }

    private func waitUntilStill(_ latest: UInt64, _ log: Log) throws {
        guard let before = sign(of: latest), before != "over" else { return }
        log("waits \(Int(takeOverSeconds)) s to see whether \(holder(of: latest)) still leads, as \(path) says")
        let end = MonotonicClock.nowMilliseconds() + UInt64(takeOverSeconds * 1_000)
        while MonotonicClock.nowMilliseconds() < end {
            sleep(100)
            guard sign(of: latest) == before else {
                throw LostLead(description: "\(holder(of: latest)) leads, says \(path); stop it first")
            }
        }
    }

    /// To be called by the leader as often as it likes, before it does anything.
    /// - Throws: `LostLead`: it must not say anything to anybody any more.
    public mutating func lead(at nowMilliseconds: UInt64) throws {
        guard nowMilliseconds >= signedMilliseconds + signMilliseconds else { return }
        do {
            let latest = try latestTerm()
            guard latest == term else {
                throw LostLead(description: "\(holder(of: latest)) has taken over, says \(path)")
            }
            try write()
            signedMilliseconds = nowMilliseconds
        } catch let lost as LostLead {
            throw lost
        } catch {
            guard nowMilliseconds < signedMilliseconds + giveUpMilliseconds else {
                throw LostLead(description: "it cannot say in \(path) that it leads, and another one may: \(error)")
            }
        }
        // A process that was frozen: another one may have taken over in the meantime, between the look and the sign.
        guard try latestTerm() == term else { throw LostLead(description: "another one has taken over, says \(path)") }
    }

    /// A leader that ends and hands over: whoever waits need not wait any longer.
    public func yield() { try? AtomicFile.write("over\n", to: "\(path)/sign-\(term)") }

    // MARK: - Waiting

    /// For who stands by: whether the leader's sign has stood still for so long that its term is over, and the next one
    /// is ours.
    /// - Throws: `FileError` where the folder cannot be read: nobody knows, and nothing is taken over.
    public mutating func takeOver(at nowMilliseconds: UInt64) throws -> Bool {
        let latest = try latestTerm()
        guard latest > 0, let sign = sign(of: latest) else { return false }
        guard let before = watched, before.term == latest, before.sign == sign else {
            watched = (latest, sign, nowMilliseconds)
            return sign == "over" ? try takeNext(latest) : false
        }
        guard sign == "over" || nowMilliseconds >= before.sinceMilliseconds + UInt64(takeOverSeconds * 1_000) else {
            return false
        }
        return try takeNext(latest)
    }

    /// - Returns: false where another one was faster.
    private mutating func takeNext(_ latest: UInt64) throws -> Bool {
        do {
            try begin(latest + 1)
            return true
        } catch is LostLead {
            watched = nil
            return false
        }
    }

    // MARK: - Files

    private mutating func begin(_ next: UInt64) throws {
        guard try FileSystem.create("\(name)\n", at: "\(path)/leader-\(next)") else {
            throw LostLead(description: "\(holder(of: next)) has just taken over, says \(path)")
        }
        term = next
        try write()
        signedMilliseconds = MonotonicClock.nowMilliseconds()
    }

    private mutating func write() throws {
        sign += 1
        try AtomicFile.write("\(sign)\n", to: "\(path)/sign-\(term)")
    }

    private func latestTerm() throws -> UInt64 {
        try FileSystem.list(path).compactMap { name in
            name.hasPrefix("leader-") ? UInt64(name.dropFirst(7)) : nil
        }.max() ?? 0
    }

    private func isOurs(_ term: UInt64) throws -> Bool {
        try FileSystem.readText("\(path)/leader-\(term)", byteCountMax: 512) == "\(name)\n"
    }

    /// "" for a leader that has not signed yet.
    private func sign(of term: UInt64) -> String? {
        let file = "\(path)/sign-\(term)"
        guard FileSystem.exists(file) else { return "" }
        return (try? FileSystem.readText(file, byteCountMax: 64)).map { $0.filter { $0 != "\n" } }
    }

    private func holder(of term: UInt64) -> String {
        let text = (try? FileSystem.readText("\(path)/leader-\(term)", byteCountMax: 512)) ?? ""
        return text.split(separator: " ").first.map { "the coordinator at \($0)" } ?? "another coordinator"
    }
}
