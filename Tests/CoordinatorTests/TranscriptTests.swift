import Coordinator
import Foundation
import Testing

@Suite struct TranscriptTests {
    @Test func thereAreTranscripts() { #expect(TranscriptFiles.names.count >= 10) }

    /// Plays a transcript and writes it down again: events as they are, actions as the scheduler decided. Must give the
    /// file back. Each change is written to a real store, too, from which a restart recovers.
    /// `QUINTET_WRITE_TRANSCRIPTS=1` writes what came out over it; read the difference before you commit it.
    @Test(arguments: TranscriptFiles.names)
    func schedulerDecidesAsWrittenDown(_ name: String) throws {
        let file = TranscriptFiles.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let folder = try TestFolder()
        let store = try Store(path: folder.file("state.sqlite"))
        var player = TranscriptPlayer(
            remember: { _ = try store.commit($0, wallMilliseconds: 0) }, recover: { try store.recover() })
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
