/// How many processors this process may keep busy: of those it may run on (taskset, cpusets, batch systems), no more
/// than its share of time amounts to (containers, systemd, Kubernetes) and than the batch system has given the task.
package struct ProcessorShare {
    /// In front of /proc and /sys; "" but in tests.
    package var root: String
    /// Processors of the machine.
    package var presentCount: Int
    /// SLURM_CPUS_PER_TASK: without its own affinity, SLURM says only here how many a task has.
    package var taskCount: String?

    package init(root: String, presentCount: Int, taskCount: String?) {
        self.root = root
        self.presentCount = presentCount
        self.taskCount = taskCount
    }

    package var count: Int {
        let task = taskCount.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
        return max(1, [allowedCount ?? presentCount, quotaCount, task].compactMap { $0 }.min()!)
    }

    private var allowedCount: Int? {
        let mask = text("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        return mask.map { $0.dropFirst("Cpus_allowed:".utf8.count).reduce(0) {
            $0 + ($1.hexDigitValue?.nonzeroBitCount ?? 0)
        } }
    }

    /// The smallest share of the process's control group and of those above it, each of which limits it, rounded up to
    /// whole processors.
    private var quotaCount: Int? {
        let groups = text("/proc/self/cgroup")?.split(separator: "\n") ?? []
        return groups.compactMap { line -> Int? in
            // "0::/user.slice" of version 2, "4:cpu,cpuacct:/docker/71" of version 1.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { return nil }
            if parts[1].isEmpty { return smallest(parts[2], isVersion2: true) }
            return parts[1].split(separator: ",").contains("cpu") ? smallest(parts[2], isVersion2: false) : nil
        }.min()
    }

    /// - Parameter group: as the kernel names it, which may begin above what is mounted here (in a container).
    private func smallest(_ group: String, isVersion2: Bool) -> Int? {
        guard let mount = mount(isVersion2: isVersion2) else { return nil }
        var path = group
        if mount.groupRoot != "/" {
            path = path == mount.groupRoot || path.hasPrefix(mount.groupRoot + "/")
                ? String(path.dropFirst(mount.groupRoot.count)) : ""
        }
        var shares: [Int] = []
        while true {
            while path.hasSuffix("/") { path.removeLast() }
            if let share = share(mount.folder + path, isVersion2: isVersion2) { shares.append(share) }
            guard let slash = path.lastIndex(of: "/") else { break }
            path = String(path[..<slash])
        }
        return shares.min()
    }

    private func share(_ folder: String, isVersion2: Bool) -> Int? {
        let words: [String]
        if isVersion2 {
            // "200000 100000" is two processors, "max 100000" as many as there are.
            words = text(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace).map(String.init) ?? []
        } else {
            words = ["quota", "period"].compactMap { text("\(folder)/cpu.cfs_\($0)_us") }
                .map { String($0.filter { !$0.isWhitespace }) }
        }
        guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]), quota > 0, period > 0 else {
            return nil
        }
        return quota / period + (quota % period > 0 ? 1 : 0)
    }

    /// Where the groups are, and which of them is the topmost there.
    private func mount(isVersion2: Bool) -> (folder: String, groupRoot: String)? {
        for line in text("/proc/self/mountinfo")?.split(separator: "\n") ?? [] {
            let words = line.split(separator: " ").map(String.init)
            guard words.count > 4, let dash = words.firstIndex(of: "-"), dash + 3 < words.count else { continue }
            let isRight = isVersion2
                ? words[dash + 1] == "cgroup2"
                : words[dash + 1] == "cgroup" && words[dash + 3].split(separator: ",").contains("cpu")
            if isRight { return (words[4], words[3]) }
        }
        return nil
    }

    private func text(_ path: String) -> String? { try? FileSystem.readText(root + path, byteCountMax: 1 << 20) }
}
