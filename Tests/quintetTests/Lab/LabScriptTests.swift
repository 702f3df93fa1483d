import Foundation
import Platform
import TestSupport
import Testing
import quintet

/// The scripts as a machine's shell runs them, without ssh between: cluster/lab/test.sh has that.
@Suite(.serialized) struct LabScriptTests {
    /// A machine with a home of its own.
    private final class Machine {
        let home: String
        private static let counter = Guarded(0)

        init() throws {
            let number = Self.counter.withLock { count in
                count += 1
                return count
            }
            home = NSTemporaryDirectory() + "/quintet-lab-\(getpid())-\(number)"
            try FileSystem.makeFolder(home)
        }

        deinit {
            _ = try? run(LabScripts.stop(seconds: 20))
            try? FileSystem.removeTree(home)
        }

        /// By the command that a login shell gets.
        func run(_ script: String, input: [UInt8] = []) throws -> LabAnswer {
            let bytes = Array(script.utf8)
            let process = PipedProcess(executable: "env", arguments: [
                "HOME=\(home)", "sh", "-c", Shell.reading(scriptOf: bytes.count),
            ])
            let answer = try process.run(input: bytes + input, silentSecondsMax: 60)
            #expect(answer.errors.isEmpty, "\(String(decoding: answer.errors, as: UTF8.self))")
            return LabAnswer(String(decoding: answer.output, as: UTF8.self))
        }

        func probe(digest: String? = nil) throws -> LabProbe {
            try #require(LabProbe(try run(LabScripts.probe(version: "v1", digest: digest))))
        }

        func worker(_ number: Int) throws -> LabProbe.Worker? { try probe().workers.first { $0.number == number } }

        /// hosts/NAME: where workers are kept account of.
        func folder() throws -> String {
            let hosts = home + "/.local/share/quintet/hosts"
            return hosts + "/" + (try #require(try FileSystem.list(hosts).first))
        }

        /// - Parameter program: a script in the program's place.
        func launch(_ program: String, _ host: LabHost = LabHost(name: "lab3")) throws -> LabAnswer {
            let bytes = Array(("#!/bin/sh\n" + program).utf8)
            let script = LabScripts.install(version: "v1", digest: LabScriptTests.digest(bytes))
            let installed = try run(script, input: bytes)
            #expect(installed.hasEnd("install"), "\(installed)")
            let settings = LabSettings(coordinator: "lab1:7311", tokenIdentity: "t", version: "v1")
            return try run(
                LabScripts.launch(host, settings, fingerprint: "f1", tokenBytes: 65),
                input: [UInt8](repeating: 65, count: 65))
        }
    }

    private static func digest(_ bytes: [UInt8]) -> String { Hexadecimal.text(SHA256.digest(of: bytes)) }

    /// Sleeps until it is asked to leave, by SIGTERM.
    private static let sleeper = """
        [ "$1" = --version ] && exit 0
        echo "$@" >> "$HOME/started"
        trap 'echo left >> "$HOME/left"; exit 0' TERM
        while :; do sleep 0.1; done

        """

    @Test func wordsStayWordsInAShell() throws {
        let odd = ["", "a b", "'", "''$(id)`id`\"\\", "-n", "\n\t*~#;&|", "\u{E4}\u{1F9EA}"]
        let process = PipedProcess(
            executable: "sh", arguments: ["-c", "printf '%s|' " + odd.map(Shell.quoted).joined(separator: " ")])
        let answer = try process.run(silentSecondsMax: 60)
        #expect(String(decoding: answer.output, as: UTF8.self) == odd.joined(separator: "|") + "|")
        #expect(try Shell.words("ssh -p 22 -o 'A B' \"c'd\" e'f'g ''")
            == ["ssh", "-p", "22", "-o", "A B", "c'd", "efg", ""])
        for wrong in ["", "  ", "-p 22", "ssh 'x", "'' x"] {
            #expect(throws: (any Error).self, "\(wrong)") { try Shell.words(wrong) }
        }
    }

    @Test func anEmptyMachineIsDescribedAndNotTouched() throws {
        let machine = try Machine()
        let probe = try machine.probe(digest: String(repeating: "0", count: 64))
        #expect(probe.machine.hasPrefix("Linux ") && !probe.isProgramThere && probe.workers.isEmpty)
        #expect(probe.load != nil && probe.coreCount != nil && probe.missingTools.isEmpty)
        #expect(try FileSystem.list(machine.home).isEmpty)
    }

    @Test func aProgramThatDoesNotArriveWholeOrDoesNotRunLeavesNothing() throws {
        let machine = try Machine()
        func install(_ bytes: [UInt8], of whole: [UInt8]) throws -> LabAnswer {
            try machine.run(LabScripts.install(version: "v1", digest: Self.digest(whole)), input: bytes)
        }
        let good = Array("#!/bin/sh\nexit 0\n".utf8), bad = Array("#!/bin/sh\necho no such library >&2; exit 9\n".utf8)
        #expect(try install(Array(good.dropLast(5)), of: good).refusal == "the program did not arrive whole")
        #expect(try install(bad, of: bad).refusal == "the program does not run there: no such library")
        let versions = machine.home + "/.local/share/quintet/versions"
        #expect(try FileSystem.list(versions).isEmpty)
        #expect(try install(good, of: good).hasEnd("install"))
        #expect(try FileSystem.list(versions) == ["v1"] && FileSystem.list(versions + "/v1") == ["quintet"])
        #expect(try machine.probe(digest: Self.digest(good)).isProgramThere)
        #expect(try !machine.probe(digest: Self.digest(bad)).isProgramThere)
    }

    @Test func workersStartWithTheirWordsAndLeaveWhenAsked() throws {
        let machine = try Machine()
        var host = LabHost(name: "ada@lab3")
        (host.workerCount, host.cache) = (2, "~/a 'b' $(id)")
        #expect(try machine.launch(Self.sleeper, host).all("started") == ["1", "2"])
        // The program is a script here, and what runs is its shell; the path of the program is the version.
        #expect(wait { (try? machine.probe().living.count) == 2 })
        let folder = try machine.folder()
        #expect(try FileSystem.mode(of: folder + "/token") & 0o777 == 0o600)
        let words = "worker --coordinator lab1:7311 --token-file \(folder)/token --name lab3:1 --cache "
            + "\(machine.home)/a 'b' $(id) --threads "
        #expect(wait {
            ((try? FileSystem.readText(machine.home + "/started", byteCountMax: 4096)) ?? "").contains(words)
        })
        // Nobody is started twice.
        #expect(try machine.launch(Self.sleeper, host).all("started").isEmpty)
        #expect(try machine.run(LabScripts.stop(seconds: 20)).all("left") == ["1", "2"])
        #expect(try machine.probe().workers.isEmpty)
        #expect(try FileSystem.readText(machine.home + "/left", byteCountMax: 99) == "left\nleft\n")
        #expect(try machine.run(LabScripts.stop(seconds: 20)).all("left").isEmpty)
    }

    @Test func aWorkerThatIsKilledComesBackAndOneThatWasAskedToLeaveDoesNot() throws {
        let machine = try Machine()
        _ = try machine.launch(Self.sleeper)
        #expect(wait { (try? machine.worker(1)?.state) == .running })
        let first = try #require(try machine.worker(1))
        kill(Int32(first.process), SIGKILL)
        #expect(wait { (try? machine.worker(1)?.startCount) == 2 && (try? machine.worker(1)?.state) == .running })
        let second = try #require(try machine.worker(1))
        #expect(second.process != first.process)
        #expect(try machine.run(LabScripts.logs(lineCount: 9)).all("log").contains {
            $0.contains("the worker ended with 137; it is started again in 5 s")
        })
        kill(Int32(second.process), SIGTERM)
        #expect(wait { (try? machine.worker(1)?.state) == .ended(0) })
        #expect(try machine.launch(Self.sleeper).all("started") == ["1"])
    }

    @Test func aWorkerThatIsStartedWronglyIsNotStartedAgain() throws {
        let machine = try Machine()
        let answer = try machine.launch("[ \"$1\" = --version ] && exit 0; echo no option >&2; exit 2\n")
        #expect(answer.ofWorkers("failed").first?.text.contains("it was started wrongly") == true, "\(answer)")
        #expect(try machine.worker(1)?.state == .ended(2))
    }

    /// The kill would hit somebody else's process.
    @Test func aNumberThatIsAnothersByNowIsLeftAlone() throws {
        let machine = try Machine()
        _ = try machine.launch(Self.sleeper)
        _ = try machine.run(LabScripts.stop(seconds: 20))
        let innocent = try ChildProcess(executable: "sleep", arguments: ["600"], output: .discarded)
        defer {
            innocent.signal(SIGKILL)
            _ = innocent.wait()
        }
        let boot = try FileSystem.readText("/proc/sys/kernel/random/boot_id", byteCountMax: 99)
        for kind in ["supervisor", "process"] {
            try AtomicFile.write("\(innocent.processID) 12345 \(boot)", to: machine.folder() + "/worker-1.\(kind)")
        }
        #expect(try machine.worker(1)?.state == .gone)
        #expect(try machine.run(LabScripts.stop(seconds: 20)).all("left").isEmpty)
        #expect(innocent.poll() == nil)
        // Nor is it taken for a worker that runs already.
        #expect(try machine.launch(Self.sleeper).all("started") == ["1"])
        #expect(innocent.poll() == nil)
    }

    @Test func aWorkerWithoutSupervisorIsReplaced() throws {
        let machine = try Machine()
        _ = try machine.launch(Self.sleeper)
        #expect(wait { (try? machine.worker(1)?.state) == .running })
        let text = try FileSystem.readText(machine.folder() + "/worker-1.supervisor", byteCountMax: 99)
        let supervisor = try #require(text.split(separator: " ").first.flatMap { Int32($0) })
        kill(supervisor, SIGKILL)
        #expect(wait { (try? machine.worker(1)?.state) == .unsupervised })
        #expect(try machine.launch(Self.sleeper).all("started") == ["1"])
        #expect(try FileSystem.readText(machine.home + "/left", byteCountMax: 99) == "left\n")
        #expect(wait { (try? machine.worker(1)?.state) == .running })
    }

    @Test func whoDoesNotLeaveIsNamed() throws {
        let machine = try Machine()
        _ = try machine.launch("[ \"$1\" = --version ] && exit 0; trap '' TERM; while :; do sleep 0.1; done\n")
        let process = try #require(try machine.worker(1)).process
        #expect(try machine.run(LabScripts.stop(seconds: 1)).ofWorkers("stays").first?.text == "\(process)")
        kill(Int32(process), SIGKILL)
        #expect(wait { (try? machine.worker(1)) == nil })
    }

    @Test func aTokenThatDoesNotArriveWholeStartsNobody() throws {
        let machine = try Machine()
        _ = try machine.launch("exit 0\n")
        let settings = LabSettings(coordinator: "lab1:7311", tokenIdentity: "t", version: "v1")
        let script = LabScripts.launch(LabHost(name: "a"), settings, fingerprint: "f", tokenBytes: 65)
        #expect(try machine.run(script, input: [65]).refusal == "the token did not arrive whole")
    }
}
