import Coordinator
import Foundation
import Protocol
import Testing

/// Work that has gone wrong somewhere and waits says where, how often and for whom.
@Suite struct WaitingRunTests {
    @Test func theStatusSaysWhyARunWaits() throws {
        let folder = try TestFolder()
        let server = try RunningServer(folder: folder.path)
        defer { server.stop() }
        let client = try server.client()
        _ = try submit(client, "a")
        let other = try FakeWorker(server, name: "other:2")
        let (worker, assignment) = try leased(server, "vm:1")
        #expect(try client.status().runs[0].problem == nil)
        let message = "the worker's cache at /c is full"
        #expect(try worker.request(.surrender(assignment.lease, .failed, message)) == .accepted)
        #expect(try client.status().runs[0].problem
            == "failed once on vm; waits for a worker; the last time on 'vm:1': \(message)")
        // It is going on: there is no problem.
        try other.idle()
        _ = try other.nextAssignment()
        #expect(try client.status().runs[0].problem == nil)
    }

    /// The transcript's second replica kills its workers on lab1 three times, while lab2 is busy.
    @Test func whatAMachineHasFailedAtThreeTimesWaitsForAnotherMachine() throws {
        var player = TranscriptPlayer(store: try Store(path: ":memory:"))
        let file = TranscriptFiles.folder.appendingPathComponent("one-machine-alone-refuses-nothing.txt")
        var said: [String] = []
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") where line.first!.isNumber {
            _ = try player.play(String(line))
            guard let work = player.scheduler.works[WorkID(2)], work.state == .ready else { continue }
            if let why = player.scheduler.whyItWaits(work), said.last != why { said.append(why) }
        }
        #expect(said.prefix(2) == [
            "failed once on lab1; waits for a worker", "failed 2 times on lab1; waits for a worker",
        ])
        #expect(said.contains("failed 3 times on lab1; waits for another machine"), "\(said)")
    }
}
