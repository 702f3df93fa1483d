import Foundation
import Platform
import TestSupport
import Testing
import quintet

/// What the program says to who operates a cluster.
@Suite struct OperatorWordsTests {
    private func notice(
        _ host: String, standsFor: [String], machine: [String] = ["10.0.0.7", "2001:db8::7"], hasToken: Bool = true
    ) -> ListenNotice {
        ListenNotice(
            address: NetworkAddress(host: host, port: 7311),
            standsFor: standsFor.map { HostAddress(text: $0, isLoopback: $0.hasPrefix("127.") || $0 == "::1") },
            machine: machine.map { HostAddress(text: $0, isLoopback: false) }, hasToken: hasToken)
    }

    @Test func aNameThatOnlyThisMachineReachesIsWarnedOfWithAddressesThatOthersCanUse() {
        let debian = notice("lab1", standsFor: ["127.0.1.1"])
        #expect(debian.warning == "lab1 stands for 127.0.1.1 on this machine (/etc/hosts), so no other machine reaches "
            + "this coordinator; listen at '*:7311' or at 10.0.0.7:7311, [2001:db8::7]:7311")
        #expect(debian.text == "listening at lab1:7311; on this machine: quintet worker --coordinator lab1:7311 "
            + "--token-file FILE")
        // Who asks for it gets it without a warning, and a name that others can use is none.
        for (host, standsFor) in [
            ("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("localhost", "::1"), ("127.0.1.1", "127.0.1.1"),
            ("lab1", "10.0.0.7"), ("*", "0.0.0.0"),
        ] {
            #expect(notice(host, standsFor: [standsFor]).warning == nil, "\(host)")
        }
        #expect(notice("lab1", standsFor: ["127.0.1.1", "10.0.0.7"]).warning == nil)
    }

    @Test func whereItListensIsSaidAsOthersCanTypeIt() {
        #expect(notice("*", standsFor: ["0.0.0.0", "::"]).text == "listening at *:7311; on every machine: "
            + "quintet worker --coordinator 10.0.0.7:7311 --token-file FILE (also [2001:db8::7]:7311)")
        #expect(notice("*", standsFor: ["0.0.0.0"], machine: []).text.contains("--coordinator HOST:7311"))
        #expect(notice("::1", standsFor: ["::1"], hasToken: false).text
            == "listening at [::1]:7311; on this machine: quintet worker --coordinator [::1]:7311")
        #expect(notice("lab1", standsFor: ["10.0.0.7"]).text.contains("on every machine:"))
    }

    /// A coordinator on a free port, and where it is.
    private func coordinator(_ road: Road, _ words: String...) throws -> (program: RunningProgram, address: String) {
        let program = try road.start(
            ["coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port"] + words)
        #expect(wait { road.bytes("port")?.last == 10 || !program.isRunning })
        let port = String(decoding: road.bytes("port") ?? Data(), as: UTF8.self).dropLast()
        return (program, "127.0.0.1:\(port)")
    }

    @Test func aForgottenTokenIsNamedOnEitherSide() throws {
        let road = try Road()
        defer { road.remove() }
        try road.succeed("token", "new", "token")
        let (secret, secretAddress) = try coordinator(road, "--token-file", "token")
        let client = try road.run("status", "--coordinator", secretAddress)
        #expect(client.code == 1 && client.errors.contains("give --token-file FILE"), "\(client.errors)")
        let worker = try road.start(["worker", "--coordinator", secretAddress, "--cache", "cache", "--quiet"])
        #expect(wait { worker.errorsSoFar.contains("give --token-file FILE") }, "\(worker.errorsSoFar)")
        #expect(worker.stop().code == 0)
        // The other way round.
        #expect(secret.stop().code == 0)
        try FileSystem.removeTree(road.path("state"))
        try FileSystem.remove(road.path("port"))
        let (open, address) = try coordinator(road)
        for words in [["status"], ["worker", "--cache", "cache"]] {
            let outcome = try road.start(words + ["--coordinator", address, "--token-file", "token"]).wait()
            #expect(outcome.code == 1 && outcome.errors.contains("leave the token out here"), "\(outcome.errors)")
        }
        #expect(open.stop().code == 0)
    }

    @Test func coordinatorAndTokenFileComeFromTheEnvironmentWhereTheyAreNotGiven() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        try road.succeed("token", "new", "token")
        let (program, address) = try coordinator(road, "--token-file", "token")
        let environment = ["QUINTET_COORDINATOR": address, "QUINTET_TOKEN_FILE": "token"]
        #expect(try road.run("status", environment: environment).code == 0)
        // What is given counts.
        let other = try road.run("status", "--coordinator", "127.0.0.1:1", environment: environment)
        #expect(other.code == 1 && other.errors.contains("127.0.0.1:1"), "\(other.errors)")
        // Empty is as not set: 127.0.0.1:7311, where this coordinator is not; and training stays here.
        let training = [
            "train", "--data", "data", "--replicas", "1", "--iterations", "1", "--channels", "4,8", "--strides", "2",
            "--batch", "1", "--threshold", "0.5",
        ]
        let emptied = ["QUINTET_COORDINATOR": "", "QUINTET_TOKEN_FILE": "token"]
        let local = try road.start(training + ["--run", "local"], environment: emptied).wait()
        #expect(local.code == 0 && !local.errors.contains("the work goes to"), "\(local.errors)")
        // Data that leave the machine do not leave it unsaid.
        let worker = try road.start(["worker", "--cache", "cache", "--threads", "1"], environment: environment)
        let remote = try road.start(training + ["--run", "remote"], environment: environment).wait()
        #expect(remote.code == 0, "\(remote.errors)")
        #expect(remote.errors.contains("the work goes to the coordinator at \(address), as QUINTET_COORDINATOR says"))
        #expect(worker.stop().code == 0 && program.stop().code == 0)
        #expect(try road.run("status", "--help").output.contains("QUINTET_COORDINATOR"))
    }

    /// A worker that is killed, and a coordinator that goes: with --quiet only these are said.
    @Test func quietSaysWhatGoesWrongAndNothingElse() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        let (program, address) = try coordinator(road, "--quiet", "--lease-seconds", "2")
        let worker = try road.start(
            ["worker", "--coordinator", address, "--cache", "cache", "--threads", "1", "--quiet"])
        let training = try road.start([
            "train", "--coordinator", address, "--data", "data", "--run", "run", "--replicas", "1", "--iterations",
            "100000", "--channels", "4,8", "--strides", "2", "--batch", "1", "--threshold", "0.5", "--quiet",
        ])
        #expect(wait {
            let status = try? road.run("status", "--coordinator", address, "--json").output
            return status?.contains("\"state\":\"leased\"") == true
        })
        #expect(program.errorsSoFar.isEmpty, "\(program.errorsSoFar)")
        #expect(worker.errorsSoFar.isEmpty, "\(worker.errorsSoFar)")
        worker.signal(SIGSTOP)
        #expect(wait { program.errorsSoFar.contains("lapsed") }, "\(program.errorsSoFar)")
        program.signal(SIGKILL)
        _ = program.wait()
        worker.signal(SIGCONT)
        #expect(wait { worker.errorsSoFar.contains("no coordinator") }, "\(worker.errorsSoFar)")
        for one in [training, worker] { one.signal(SIGTERM) }
        _ = training.wait()
        #expect(worker.wait().code == 0)
    }

    /// As a terminal and a batch system do it together. A coordinator and a worker, which run until then, end with 0.
    @Test func whatIsStoppedOnRequestEndsWith130HoweverOftenItIsAskedAtOnce() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        for signals in [[SIGINT], [SIGINT, SIGTERM], [SIGTERM, SIGTERM], [SIGHUP]] { try expectStop(road, signals) }
    }

    private func expectStop(_ road: Road, _ signals: [Int32]) throws {
        let training = try road.start([
            "train", "--data", "data", "--run", "run-\(signals.map(String.init).joined())", "--replicas", "1",
            "--iterations", "100000", "--channels", "4,8", "--strides", "2", "--batch", "1", "--threshold", "0.5",
        ])
        let (server, _) = try coordinator(road)
        #expect(wait { training.errorsSoFar.contains("replica-0") })
        for program in [training, server] { for number in signals { program.signal(number) } }
        let outcome = training.wait()
        #expect(outcome.code == 130 && outcome.errors.contains("interrupted"), "\(outcome.code) \(outcome.errors)")
        #expect(server.wait().code == 0)
    }
}
