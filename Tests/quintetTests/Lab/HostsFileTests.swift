import Recipes
import Testing
import quintet

/// What a lab's hosts file may say, and what it must never get into a command line.
@Suite struct HostsFileTests {
    private func reason(_ text: String) -> String {
        do {
            _ = try HostsFile.hosts(text, file: "hosts")
            return "taken"
        } catch { return "\(error)" }
    }

    @Test func everySettingIsRead() throws {
        let hosts = try HostsFile.hosts("""
            # the lab
            lab3  workers=2 threads=8 nice=0 hours=20-7 idle-only cache=/scratch/quintet   # the large one
            \tada@lab-4.example.org\t

            lab_5 cache=~/fast#not a part of it
            """, file: "hosts")
        var first = LabHost(name: "lab3")
        (first.workerCount, first.threadCount, first.niceness) = (2, 8, 0)
        (first.hours, first.isIdleOnly, first.cache) = ("20-7", true, "/scratch/quintet")
        var third = LabHost(name: "lab_5")
        third.cache = "~/fast"
        #expect(hosts == [first, LabHost(name: "ada@lab-4.example.org"), third])
        #expect(hosts[1].machine == "lab-4.example.org" && hosts[1].workerCount == 1 && hosts[1].niceness == 10)
        #expect(hosts[0].workerOptions(2) == [
            "--name", "lab3:2", "--threads", "8", "--hours", "20-7", "--idle-only",
        ])
        #expect(hosts[0].hasHours && !hosts[1].hasHours)
    }

    @Test func theLastLineNeedsNoEndAndEndsOfLinesMayBeThoseOfOtherSystems() throws {
        #expect(try HostsFile.hosts("a\r\nb\r\n", file: "hosts").map(\.name) == ["a", "b"])
        #expect(try HostsFile.hosts("a", file: "hosts").map(\.name) == ["a"])
    }

    /// Each would be an option of ssh, words of a shell, or another host than it seems.
    @Test(arguments: [
        "-oProxyCommand=touch", "--", "-", ".", "..", ".lab", "lab;id", "lab$(id)", "lab`id`", "a'b", "a\"b", "a\\b",
        "lab3:22", "::1", "ssh://lab", "a/b", "ada@", "@lab", "ada@-lab", "-ada@lab", "a@b@c", "l\u{E4}b", "lab\u{7}",
        "lab\u{202E}3", "lab\u{A0}3", "*", "~", "a%h", "a&b", "a|b", "a>b", String(repeating: "x", count: 101),
    ])
    func oddNamesAreRefusedWithTheirLine(name: String) {
        let why = reason("lab1\n\(name) workers=2\n")
        #expect(why.hasPrefix("hosts:2: \"\(name)\" is no host's name"), "\(why)")
    }

    @Test(arguments: [
        ("lab workers=0", "workers takes a whole number from 1 to 64"), ("lab workers=", "workers takes"),
        ("lab workers", "workers takes"), ("lab workers=+2", "workers takes"), ("lab nice=-5", "nice takes"),
        ("lab nice=20", "nice takes a whole number from 0 to 19"), ("lab threads=1e3", "threads takes"),
        ("lab idle-only=yes", "idle-only takes no value"), ("lab hours", "hours takes"), ("lab hours=", "hours takes"),
        ("lab hours=-1", "hours takes"), ("lab hours=1;2", "hours takes"), ("lab hours=$(id)", "hours takes"),
        ("lab cache=scratch", "cache takes a folder's whole path"), ("lab cache=-x", "cache takes"),
        ("lab cache=/a\u{7}", "cache takes"), ("lab cache", "cache takes"),
        ("lab worker=2", "there is no setting \"worker\" (did you mean workers?)"),
        ("lab nice=1 nice=2", "nice is given twice"), ("lab idle-only idle-only", "idle-only is given twice"),
        ("lab\nada@lab", "lab is in line 1 already"), ("lab -oProxyCommand=x", "there is no setting"),
    ])
    func oddSettingsAreRefusedWithTheirLine(text: String, why: String) {
        let line = text.contains("\n") ? 2 : 1
        #expect(reason(text).hasPrefix("hosts:\(line): ") && reason(text).contains(why), "\(reason(text))")
    }

    @Test func aFileWithoutHostsIsRefused() {
        #expect(reason("# nobody\n\n").contains("hosts names no host"))
        let many = (0...HostsFile.hostsMax).map { "h\($0)" }.joined(separator: "\n")
        #expect(reason(many).contains("hosts:1001: a lab has at most 1000 machines"))
    }
}
