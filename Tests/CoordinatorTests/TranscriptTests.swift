import Coordinator
import Foundation
import Testing

@Suite struct TranscriptTests {
    @Test func thereAreTranscripts() { #expect(TranscriptFiles.names.count >= 10) }

    /// Plays a transcript and writes it down again: events as they are, actions as the scheduler decided. Must give the
    /// file back. `QUINTET_WRITE_TRANSCRIPTS=1` writes what came out over it; read the difference before you commit it.
    @Test(arguments: TranscriptFiles.names)
    func schedulerDecidesAsWrittenDown(_ name: String) throws {
        let file = TranscriptFiles.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        var player = TranscriptPlayer(remember: { _ in }, recover: { [] })
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
    }
}
