import Foundation
import Protocol
import Testing
import Worker

/// Each file under Transcripts is one promise: events ("> milliseconds event"), and below each one the actions that
/// `WorkerState` answers with, then when it wants to wake. `QUINTET_RECORD=1 swift test --filter Transcript`
/// writes them anew; read the difference before it is committed.
@Suite struct TranscriptTests {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("Transcripts")

    static let names: [String] = {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".txt") }.sorted()
    }()

    @Test func thereAreTranscripts() { #expect(Self.names.count >= 12) }

    @Test(arguments: names) func theWorkerKeepsTheTranscript(_ name: String) throws {
        let file = Self.folder.appendingPathComponent(name)
        let expected = try String(contentsOf: file, encoding: .utf8)
        let played = play(expected)
        if ProcessInfo.processInfo.environment["QUINTET_RECORD"] != nil {
            try played.write(to: file, atomically: true, encoding: .utf8)
        }
        let (want, got) = (lines(expected), lines(played))
        let difference = zip(want, got).enumerated().first { $1.0 != $1.1 }
        let isKept = want == got
        #expect(
            isKept,
            """
            \(name), line \((difference?.offset ?? min(want.count, got.count)) + 1):
            expected: \(difference?.element.0 ?? "(other length)")
            played:   \(difference?.element.1 ?? "(other length)")
            """)
    }

    private func lines(_ text: String) -> [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// Keeps comments, blank lines and events; writes what the state answers below each event.
    private func play(_ transcript: String) -> String {
        var state = WorkerState(WorkerSettings(
            name: "lab3:41", build: "quintet-test", threadCount: 2, device: "cpu", versionMin: 1, versionMax: 2,
            recipes: ["lung-normnet"], arithmetic: ContentDigest(bytes: [UInt8](repeating: 7, count: 32)),
            cacheBytesMax: 10_000_000))
        var output: [String] = []
        for line in lines(transcript) {
            if line.hasPrefix("> ") {
                output.append(String(line))
                var reader = EventReader(line.dropFirst(2))
                let now = reader.number()
                let actions = state.apply(reader.event(), atMilliseconds: now)
                output += actions.map { "    " + word($0) }
                output.append("    wake " + (state.wakeMilliseconds.map { "\($0)" } ?? "never"))
            } else if !line.hasPrefix("    ") {
                output.append(String(line))
            }
        }
        return output.joined(separator: "\n")
    }
}
