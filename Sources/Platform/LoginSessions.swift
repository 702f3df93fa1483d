import Glibc

/// Who sits at this machine, or is logged in from afar.
public enum LoginSessions {
    private static let folder = "/run/systemd/sessions"

    /// The names of those who are logged in, each once. Where systemd keeps sessions it is asked, else utmp. A session
    /// that has ended and whose processes go on (a worker that was started over ssh) is nobody's.
    public static func users() -> [String] { users(sessionFolder: folder) }

    package static func users(sessionFolder: String) -> [String] {
        guard let names = try? FileSystem.list(sessionFolder) else { return usersOfUtmp() }
        let users = names.filter { !$0.hasSuffix(".ref") }.compactMap { name in
            (try? FileSystem.readText("\(sessionFolder)/\(name)", byteCountMax: 65_536)).flatMap(user)
        }
        return Set(users).sorted()
    }

    /// Of one session's file; nil for one that is no person's, or is ending.
    private static func user(_ text: String) -> String? {
        var fields: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            let parts = line.split(separator: "=", maxSplits: 1)
            if parts.count == 2 { fields[parts[0]] = parts[1] }
        }
        guard fields["CLASS"] == "user", fields["STATE"] != "closing" else { return nil }
        return (fields["USER"] ?? fields["UID"]).map(String.init)
    }

    private static let utmp = Guarded(())

    private static func usersOfUtmp() -> [String] {
        // getutxent has one place for all threads.
        utmp.withLock { _ in
            var users: Set<String> = []
            setutxent()
            while let entry = getutxent() {
                // What a crash has left has no process any more.
                guard entry.pointee.ut_type == Int16(USER_PROCESS),
                    kill(entry.pointee.ut_pid, 0) == 0 || errno == EPERM
                else { continue }
                users.insert(withUnsafeBytes(of: entry.pointee.ut_user) { bytes in
                    String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
                })
            }
            endutxent()
            return users.sorted()
        }
    }
}
