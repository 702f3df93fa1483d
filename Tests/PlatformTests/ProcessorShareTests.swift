import Platform
import Testing

/// With made-up trees of /proc and /sys, as real kernels and containers show them.
@Suite struct ProcessorShareTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ path: String, _ text: String) throws {
        let path = folder.path + path
        try FileSystem.makeFolder(FileSystem.folder(of: path))
        try AtomicFile.write(text, to: path)
    }

    private func count(present: Int = 64, task: String? = nil) -> Int {
        ProcessorShare(root: folder.path, presentCount: present, taskCount: task).count
    }

    private func allow(_ mask: String) throws {
        try write("/proc/self/status", "Name:\tquintet\nCpus_allowed:\t\(mask)\nCpus_allowed_list:\t0-7\n")
    }

    private func version2(group: String, root: String = "/") throws {
        try write("/proc/self/cgroup", "0::\(group)\n")
        try write(
            "/proc/self/mountinfo",
            "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:26 \(root) /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw\n")
    }

    private func version1(group: String, root: String) throws {
        try write("/proc/self/cgroup", "9:memory:\(group)\n4:cpu,cpuacct:\(group)\n1:name=systemd:\(group)\n0::/\n")
        try write("/proc/self/mountinfo", """
            30 22 0:26 \(root) /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
            33 25 0:29 \(root) /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:9 - cgroup cgroup rw,cpu,cpuacct

            """)
    }

    @Test func withoutLimitsAllProcessorsCount() {
        #expect(count(present: 64) == 64)
    }

    @Test func affinityCounts() throws {
        try allow("0000000f,ff0000ff")
        #expect(count() == 20)
        try allow("3")
        #expect(count() == 2)
    }

    @Test func theBatchSystemsNumberCountsWhereItIsOne() throws {
        #expect(count(task: "8") == 8)
        #expect(count(present: 4, task: "8") == 4)
        for nonsense in ["", "0", "-3", "8x", "many"] { #expect(count(task: nonsense) == 64, "\(nonsense)") }
    }

    @Test func theNearestGroupsQuotaCounts() throws {
        try version2(group: "/system.slice/worker.service")
        try write("/sys/fs/cgroup/system.slice/worker.service/cpu.max", "350000 100000\n")
        #expect(count() == 4)
        try write("/sys/fs/cgroup/system.slice/worker.service/cpu.max", "50000 100000\n")
        #expect(count() == 1)
        try write("/sys/fs/cgroup/system.slice/worker.service/cpu.max", "max 100000\n")
        #expect(count() == 64)
    }

    /// A group has what the groups above it have left it.
    @Test func theSmallestQuotaOnTheWayUpCounts() throws {
        try version2(group: "/kubepods/burstable/pod7/main")
        try write("/sys/fs/cgroup/kubepods/burstable/pod7/main/cpu.max", "max 100000\n")
        try write("/sys/fs/cgroup/kubepods/burstable/pod7/cpu.max", "600000 100000\n")
        try write("/sys/fs/cgroup/kubepods/cpu.max", "1200000 100000\n")
        #expect(count() == 6)
        try write("/sys/fs/cgroup/kubepods/burstable/pod7/main/cpu.max", "200000 100000\n")
        #expect(count() == 2)
        // Of a group beside it.
        try write("/sys/fs/cgroup/kubepods/other/cpu.max", "100000 100000\n")
        #expect(count() == 2)
        try allow("1")
        #expect(count() == 1)
    }

    /// A container with a namespace of its own sees its group as the topmost.
    @Test func aContainersOwnGroupCounts() throws {
        try version2(group: "/")
        try write("/sys/fs/cgroup/cpu.max", "300000 100000\n")
        #expect(count() == 3)
    }

    @Test func versionOneCounts() throws {
        try version1(group: "/slurm/job_71", root: "/")
        try write("/sys/fs/cgroup/cpu,cpuacct/slurm/job_71/cpu.cfs_quota_us", "-1\n")
        try write("/sys/fs/cgroup/cpu,cpuacct/slurm/job_71/cpu.cfs_period_us", "100000\n")
        #expect(count() == 64)
        try write("/sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_quota_us", "250000\n")
        try write("/sys/fs/cgroup/cpu,cpuacct/slurm/cpu.cfs_period_us", "50000\n")
        #expect(count() == 5)
    }

    /// Docker on version 1: the kernel names the group from the machine's top, and only what is below it is mounted.
    @Test func aGroupThatIsMountedWithoutThoseAboveItCounts() throws {
        try version1(group: "/docker/71ab", root: "/docker/71ab")
        try write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "700000\n")
        try write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
        #expect(count() == 7)
    }
}
