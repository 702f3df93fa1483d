import Coordinator
import Foundation
import Protocol
import Testing

@Suite struct TranscriptTests {
    @Test func thereAreTranscripts() { #expect(TranscriptFiles.names.count >= 10) }

    /// A backup begins with checkpoint 2 while its worker's fetch is slow; four later ones push that one out.
    @Test func aCheckpointThatIsBeingFetchedStays() throws {
        var player = TranscriptPlayer(store: try Store(path: ":memory:"))
        let lines = [
            "0 submit k train replicas=2", "0 connect a", "0 idle a", "0 connect b", "0 idle b", "0 connect c",
            "0 idle c", "1000 heartbeat a 1.1@0", "1000 heartbeat b 2.1@0", "20000 checkpoint a 1.1@2",
            "41000 heartbeat a 1.1@4", "41000 heartbeat b 2.1@40", "41000 tick", "42000 heartbeat c 1.2@2",
        ] + (5...8).map { "4\($0)000 checkpoint a 1.1@\($0)" }
        for line in lines { _ = try player.play(line) }
        let digest = blob("checkpoint", "1.1@2").digest
        #expect(player.scheduler.works[WorkID(1)]?.checkpoints.contains { $0.blob.digest == digest } == false)
        #expect(player.scheduler.digestsBeingFetched == [digest])
        _ = try player.play("50000 heartbeat c 1.2@3")
        #expect(player.scheduler.digestsBeingFetched == [])
    }

    /// Volumes that a cancelling ended took no time: they would make the run look far faster when it begins again.
    @Test func whatWasCancelledIsNoPace() throws {
        var player = TranscriptPlayer(store: try Store(path: ":memory:"))
        let submission = "submit k segment voters=1 volumes=u,v,w"
        for line in ["0 \(submission)", "5 connect a", "5 idle a", "10 cancel 1"] { _ = try player.play(line) }
        _ = try player.play("60000 \(submission)")
        let run = try #require(player.scheduler.runs[RunID(1)])
        #expect(run.state == .running && run.concludedCount == 0)
        #expect(run.begunMilliseconds == nil || run.begunMilliseconds == 60_000)
    }

    /// Notices a training of which a later step would read less than all replicas.
    @Test func aResultWithoutWhatALaterStepReadsIsAFailure() throws {
        var player = TranscriptPlayer(store: try Store(path: ":memory:"))
        for line in ["0 submit k train replicas=1", "0 connect a", "0 idle a"] { _ = try player.play(line) }
        let lease = Lease(work: WorkID(1), epoch: 1)
        let result = WorkResult(lease: lease, outputs: [blob("notes", "n")], reportJSON: "{}", metrics: [])
        let actions = player.scheduler.apply(.finished("a", result), at: 5).map(\.description)
        let problem = "the result of work 1 holds no 'replica', which a later step reads"
        #expect(actions.contains("answer refusal malformed: \(problem)"), "\(actions)")
        #expect(player.scheduler.works[WorkID(1)]?.state == .ready)
    }

    /// Plays a transcript and writes it down again: events as they are, actions as the scheduler decided. Must give the
    /// file back. Each change is written to a real store, too, from which a restart recovers.
    /// `QUINTET_WRITE_TRANSCRIPTS=1` writes what came out over it; read the difference before you commit it.
    @Test(arguments: TranscriptFiles.names)
    func schedulerDecidesAsWrittenDown(_ name: String) throws {
        let file = TranscriptFiles.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let folder = try TestFolder()
        let store = try Store(path: folder.file("state.sqlite"))
        var player = TranscriptPlayer(store: store)
        var written: [String] = []
        for line in expected.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if line.hasPrefix("    ") { continue }
            written.append(line)
            guard let first = line.first, first.isNumber else { continue }
            written += try player.play(line).map { "    \($0)" }
        }
        let actual = written.joined(separator: "\n")
        if ProcessInfo.processInfo.environment["QUINTET_WRITE_TRANSCRIPTS"] == "1" {
            try actual.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(actual == expected)
        #expect(try store.integrityReport() == "ok")
    }
}
