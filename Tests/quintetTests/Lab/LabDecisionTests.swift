import Testing
import quintet

/// What a machine answers, and what is decided by it.
@Suite struct LabDecisionTests {
    private func answer(
        machine: String = "Linux x86_64", library: String = "glibc 2.36", settings: String = "f1",
        program: Bool = true, _ lines: String...
    ) -> LabAnswer {
        LabAnswer("""
            Welcome to the lab!
            quintet-lab machine \(machine)
            quintet-lab libc \(library)
            quintet-lab load 0.25 16
            quintet-lab linked 0.1.0-abc
            quintet-lab settings \(settings)
            \(lines.map { "quintet-lab " + $0 }.joined(separator: "\n"))
            \(program ? "quintet-lab program yes" : "")
            quintet-lab end probe
            """)
    }

    private func decide(_ answer: LabAnswer, workers: Int = 2, mayReplace: Bool = false) throws -> LabDecision {
        var host = LabHost(name: "lab3")
        host.workerCount = workers
        return LabDecision.make(
            try #require(LabProbe(answer)), host: host, architecture: "x86_64", fingerprint: "f1",
            mayReplace: mayReplace)
    }

    @Test func anAnswerIsReadAmongOtherWords() throws {
        let probe = try #require(LabProbe(answer(
            "worker 1 running 311 2 0.1.0-abc", "worker 2 ended-2 0 1 -", "last 2 it was  started wrongly",
            "worker x running 1 1 v", "worker 3 dancing 1 1 v", "missing flock")))
        #expect(probe.load == 0.25 && probe.coreCount == 16 && probe.missingTools == ["flock"])
        #expect(probe.workers.map(\.number) == [1, 2] && probe.workers.map(\.state) == [.running, .ended(2)])
        #expect(probe.workers[0].process == 311 && probe.workers[0].startCount == 2)
        #expect(probe.workers[1].lastLine == "it was  started wrongly")
        // Cut off by a lost connection.
        #expect(LabProbe(LabAnswer("quintet-lab machine Linux x86_64\n")) == nil)
        #expect(LabAnswer("quintet-lab refused error while loading shared libraries: libniftiio.so.2").refusal?
            .contains("apt install libniftiio2") == true)
    }

    @Test func whatCannotRunThereIsRefused() throws {
        guard case .refuse(let other) = try decide(answer(machine: "Linux aarch64")),
            case .refuse(let library) = try decide(answer(library: "")),
            case .refuse(let tools) = try decide(answer("missing flock", "missing setsid"))
        else { throw TestFailure() }
        #expect(other == "it is Linux aarch64, and the program runs on Linux x86_64 only")
        #expect(library.contains("not glibc") && tools.hasPrefix("it lacks flock, setsid"))
    }

    @Test func onlyWhatIsMissingIsStarted() throws {
        let one = "worker 1 running 311 1 0.1.0-abc", two = "worker 2 restarting 0 4 -"
        #expect(try decide(answer(one, two)) == .nothing)
        #expect(try decide(answer(one, two), mayReplace: true) == .nothing)
        #expect(try decide(answer(one)) == .launch(copies: false, numbers: [2]))
        #expect(try decide(answer(one, "worker 2 gone 0 1 -")) == .launch(copies: false, numbers: [2]))
        #expect(try decide(answer(one, "worker 2 unsupervised 7 1 v")) == .launch(copies: false, numbers: [2]))
        #expect(try decide(answer(program: false)) == .launch(copies: true, numbers: [1, 2]))
        // Nobody runs: nobody minds other settings.
        #expect(try decide(answer(settings: "f0", "worker 1 ended-0 0 1 -")) == .launch(copies: false, numbers: [1, 2]))
    }

    @Test func onlyAnUpdateReplacesWhatRuns() throws {
        let running = answer(settings: "f0", program: false, "worker 1 running 311 1 0.1.0-abc")
        guard case .refuse(let reason) = try decide(running) else { throw TestFailure() }
        #expect(reason.contains("worker 1") && reason.contains("quintet lab update"))
        #expect(try decide(running, mayReplace: true) == .replace(copies: true))
    }

    @Test func whoIsNotSeenOrNotUpIsNotGood() throws {
        var host = LabHost(name: "ada@lab3")
        host.workerCount = 2
        func check(_ seen: Set<String>?, _ lines: String...) throws -> LabCheck {
            let words = (["machine Linux x86_64", "load 1 2"] + lines + ["end probe"]).map { "quintet-lab " + $0 }
            let probe = try #require(LabProbe(LabAnswer(words.joined(separator: "\n"))))
            return LabCheck.make(probe, host: host, version: "v", seen: seen)
        }
        let one = "worker 1 running 5 1 v", two = "worker 2 running 6 1 v"
        #expect(try check(["lab3:1", "lab3:2"], one, two) == .good)
        #expect(try check(nil, one, two) == .good)
        #expect(try check(["lab3:1"], one, two, "last 2 no coordinator")
            == .wait("the coordinator does not see worker 2: no coordinator"))
        #expect(try check(nil, one, "worker 2 restarting 0 3 -") == .wait("worker 2 does not stay up"))
        #expect(try check(nil, one) == .bad("worker 2 was not started"))
        #expect(try check(nil, one, "worker 2 running 6 1 w") == .bad("worker 2 runs w"))
        #expect(try check(nil, one, "worker 2 ended-2 0 1 -", "last 2 no option")
            == .bad("worker 2 ended with 2: no option"))
        host.hours = "20-7"
        #expect(try check([], one, two) == .good)
    }

    @Test func anySettingChangesWhatIsCompared() {
        let settings = LabSettings(coordinator: "lab1:7311", tokenIdentity: "t", version: "v")
        var host = LabHost(name: "lab3"), seen: Set<String> = [settings.description(of: host)]
        func isNew(_ settings: LabSettings) -> Bool { seen.insert(settings.description(of: host)).inserted }
        #expect(!isNew(settings))
        for change: (inout LabHost) -> Void in [
            { $0.workerCount = 2 }, { $0.threadCount = 3 }, { $0.niceness = 3 }, { $0.hours = "1-2" },
            { $0.isIdleOnly = true }, { $0.cache = "/x" },
        ] {
            change(&host)
            #expect(isNew(settings))
        }
        #expect(isNew(LabSettings(coordinator: "lab2:7311", tokenIdentity: "t", version: "v")))
        #expect(isNew(LabSettings(coordinator: "lab1:7311", tokenIdentity: "u", version: "v")))
        #expect(isNew(LabSettings(coordinator: "lab1:7311", tokenIdentity: "t", version: "w")))
        #expect(LabSettings.version(build: "0.1.0+abc", digest: "0123456789abcdef") == "0.1.0+abc-0123456789ab")
    }

    @Test func theStatusSaysWhatSomebodyMayWantToDo() throws {
        let probe = try #require(LabProbe(answer(
            "worker 1 running 311 3 0.1.0-old", "worker 2 unsupervised 312 1 0.1.0-abc", "worker 3 ended-0 0 1 -")))
        var host = LabHost(name: "lab3")
        host.workerCount = 3
        let line = LabStatusReport.host(host, probe, seen: ["lab3:1"])
        #expect(line.workers.map(\.isConnected) == [true, false, false])
        #expect(line.workers.map(\.process) == [311, 312, nil])
        let report = LabStatusReport(coordinator: nil, coordinatorProblem: nil, hosts: [line])
        #expect(report.table.rows == [["lab3", "1 of 3", "1", "3+1+1", "0.2 of 16", "0.1.0-abc"]])
        #expect(report.remarks.count == 3 && report.remarks[0] == "lab3: worker 1 runs 0.1.0-old")
        #expect(report.remarks[1].contains("no supervisor") && report.remarks[2].contains("asked to leave"))
    }

    private struct TestFailure: Error {}
}
