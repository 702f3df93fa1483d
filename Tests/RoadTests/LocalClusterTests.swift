import Coordinator
import Foundation
import Platform
import TestSupport
import Testing

/// Commands on a machine that others use as well.
@Suite(.serialized) struct LocalClusterTests {
    /// Ports at which a process listens.
    private func listeningPorts(of processID: Int32) -> [UInt16] {
        let folder = "/proc/\(processID)"
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/fd")) ?? []
        let sockets = Set(descriptors.compactMap { name -> String? in
            let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/fd/\(name)")
            return target.flatMap { $0.hasPrefix("socket:[") ? String($0.dropFirst(8).dropLast()) : nil }
        })
        let table = (try? FileSystem.readText("\(folder)/net/tcp", byteCountMax: 1 << 22)) ?? ""
        return table.split(separator: "\n").dropFirst().compactMap { line in
            let fields = line.split(separator: " ")
            guard fields.count > 9, fields[3] == "0A", sockets.contains(String(fields[9])) else { return nil }
            return fields[1].split(separator: ":").last.flatMap { UInt16($0, radix: 16) }
        }
    }

    private func arguments(of processID: Int32) -> [String] {
        let bytes = FileManager.default.contents(atPath: "/proc/\(processID)/cmdline") ?? Data()
        return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
    }

    private func children(of processID: Int32) -> [Int32] {
        let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(processID)/task")) ?? []
        return tasks.flatMap { task in
            let text = try? FileSystem.readText("/proc/\(processID)/task/\(task)/children", byteCountMax: 1 << 16)
            return (text ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// Loopback is open to every user of the machine.
    @Test func otherUsersCannotReachWhatTrainBringsAlong() throws {
        let road = try Road()
        defer { road.remove() }
        try road.prepareSmallData()
        let training = try road.start([
            "train", "--data", "data", "--run", "run", "--replicas", "1", "--iterations", "100000", "--slab", "8",
            "--channels", "4,8", "--strides", "2", "--batch", "1",
        ])
        var ports: [UInt16] = []
        #expect(wait { ports = listeningPorts(of: training.processID); return !ports.isEmpty })
        for port in ports {
            #expect(throws: ClientError.self) {
                try CoordinatorClient(address: NetworkAddress(host: "127.0.0.1", port: port))
            }
        }
        #expect(try FileSystem.mode(of: road.path("run/.quintet")) == 0o700)
        training.signal(SIGINT)
        #expect(training.wait().errors.contains("interrupted"))
    }

    /// The demo's workers are processes: they get the token by a file that only the owner reads, and it goes.
    @Test func theTokenOfADemoIsInItsPrivateFolderAndGoesWithIt() throws {
        let road = try Road()
        defer { road.remove() }
        let demo = try road.start(["demo", "--out", "demo", "--healthy", "2", "--diseased", "1"])
        defer { demo.signal(SIGKILL) }
        let file = road.path("demo/cluster/token")
        // It is there before the key is in it.
        #expect(wait(seconds: 180) { road.bytes("demo/cluster/token")?.count == 65 || !demo.isRunning })
        #expect(try FileSystem.mode(of: file) == 0o600)
        #expect(try FileSystem.mode(of: road.path("demo/cluster")) == 0o700)
        let key = try FileSystem.readText(file, byteCountMax: 100).prefix(64)
        // Looked at anew each time: the demo kills one of them and starts another.
        var workers: [[String]] = []
        #expect(wait {
            workers = children(of: demo.processID).map(arguments)
            return workers.count == 2 && workers.allSatisfy { $0.contains("--token-file") }
        })
        #expect(!workers.joined().contains { $0.contains(key) })
        demo.signal(SIGINT)
        _ = demo.wait()
        #expect(!FileManager.default.fileExists(atPath: file))
    }

    /// Nothing goes to another machine in the clear, and whoever asks for it is told what to do. 192.0.2.1 is nobody's.
    @Test(arguments: [
        ["worker", "--cache", "cache"], ["status"], ["cancel", "1"], ["watch"],
    ])
    func withoutATokenNoOtherMachineIsTalkedTo(words: [String]) throws {
        let road = try Road()
        defer { road.remove() }
        let program = try road.start(words + ["--coordinator", "192.0.2.1:7311"])
        #expect(wait { !program.isRunning })
        if program.isRunning { program.signal(SIGKILL) }
        let outcome = program.wait()
        #expect(outcome.code == 1 && outcome.errors.contains("quintet token new FILE"), "\(outcome.errors)")
        #expect(outcome.errors.contains("--token-file"), "\(outcome.errors)")
    }

    @Test func aWorkerWithoutAHomeAsksForACacheOfItsOwn() throws {
        let road = try Road()
        defer { road.remove() }
        let outcome = try road.run("worker", "--coordinator", "127.0.0.1:1", environment: ["HOME": ""])
        #expect(outcome.code == 2 && outcome.errors.contains("--cache DIR"), "\(outcome.errors)")
    }

    @Test func aStateFolderThatWasThereForAllToReadIsClosed() throws {
        let road = try Road()
        defer { road.remove() }
        for folder in ["state", "cache"] {
            try FileManager.default.createDirectory(
                atPath: road.path(folder), withIntermediateDirectories: false, attributes: [.posixPermissions: 0o755])
        }
        let coordinator = try road.start([
            "coordinator", "--state", "state", "--listen", "127.0.0.1:0", "--port-file", "port",
        ])
        let port = try HostileCluster.port(in: road, coordinator)
        let worker = try road.start(["worker", "--coordinator", "127.0.0.1:\(port)", "--cache", "cache"])
        for folder in ["state", "cache"] {
            #expect(wait { (try? FileSystem.mode(of: road.path(folder))) == 0o700 }, "\(folder) is open")
        }
        for program in [worker, coordinator] { #expect(program.stop().code == 0) }
    }
}
