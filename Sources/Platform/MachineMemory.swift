/// What a process may have of its machine's memory.
extension Machine {
    /// RAM of the machine, or the limit of the nearest control group (a container, a batch job) that has a lower one.
    public static var usableMemoryByteCount: UInt64 {
        let groups = (try? FileSystem.readText("/proc/self/cgroup", byteCountMax: 1 << 16)) ?? ""
        return usableMemoryByteCount(of: memoryByteCount, groups: groups) {
            try? FileSystem.readText($0, byteCountMax: 4096)
        }
    }

    /// - Parameters:
    ///   - groups: /proc/self/cgroup: "0::/a/b" (version 2), "7:memory:/a/b" (version 1).
    ///   - read: a file's text; nil where there is none.
    package static func usableMemoryByteCount(
        of machine: UInt64, groups: String, read: (String) -> String?
    ) -> UInt64 {
        var limit = machine
        func consider(_ path: String) {
            // "max" is no limit; version 1 says so with a number near 2^63.
            let text = read(path)?.split(whereSeparator: \.isWhitespace).first
            if let found = text.flatMap({ UInt64($0) }), found > 0 { limit = min(limit, found) }
        }
        for line in groups.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            let isSecond = fields[1].isEmpty
            guard isSecond || fields[1].split(separator: ",").contains("memory") else { continue }
            let (root, file) = isSecond
                ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
            // A group's limit holds for all below it. In a container its own group is the root.
            var parts = fields[2].split(separator: "/")
            while true {
                consider(([root] + parts.map(String.init) + [file]).joined(separator: "/"))
                if parts.popLast() == nil { break }
            }
        }
        return limit
    }
}
