import Platform
import Testing

/// How much memory a process may have, by what control groups say.
@Suite struct MachineMemoryTests {
    private func usable(_ groups: String, _ files: [String: String]) -> UInt64 {
        Machine.usableMemoryByteCount(of: 64 << 30, groups: groups) { files[$0] }
    }

    @Test func theLowestLimitAboveAProcessCounts() {
        let files = [
            "/sys/fs/cgroup/batch/job/step/memory.max": "max\n", "/sys/fs/cgroup/batch/job/memory.max": "8589934592\n",
            "/sys/fs/cgroup/batch/memory.max": "34359738368\n",
        ]
        #expect(usable("0::/batch/job/step\n", files) == 8 << 30)
        #expect(usable("0::/batch\n", files) == 32 << 30)
        #expect(usable("0::/other\n", files) == 64 << 30)
    }

    /// In a container, whose group is the root of what it sees.
    @Test func aContainersOwnLimitCounts() {
        #expect(usable("0::/\n", ["/sys/fs/cgroup/memory.max": "4294967296"]) == 4 << 30)
    }

    /// Version 1 says "no limit" with a number near 2^63.
    @Test func theFirstVersionOfControlGroupsCounts() {
        let path = "/sys/fs/cgroup/memory/slurm/job_7/memory.limit_in_bytes"
        let groups = "11:cpu,cpuacct:/slurm\n7:memory:/slurm/job_7\n"
        #expect(usable(groups, [path: "17179869184\n"]) == 16 << 30)
        #expect(usable(groups, [path: "9223372036854771712\n"]) == 64 << 30)
    }

    @Test func whateverTheFilesSayThereIsANumber() {
        #expect(usable("", [:]) == 64 << 30)
        #expect(usable("nonsense\n0::\n:::::\n", ["/sys/fs/cgroup/memory.max": "0"]) == 64 << 30)
        #expect(Machine.usableMemoryByteCount > 0 && Machine.usableMemoryByteCount <= Machine.memoryByteCount)
    }
}
