import Coordinator
import Foundation
import Protocol
import Testing

@Suite struct HistoryTests {
    /// Who trained which iterations of a replica, under which lease, and why did it move? What
    /// `quintet status --history` prints.
    @Test func theHistoryTellsWhoTrainedWhichIterationsAndWhyAReplicaMoved() throws {
        let store = try Store(path: ":memory:")
        var player = TranscriptPlayer(
            remember: { _ = try store.commit($0, wallMilliseconds: 0) }, recover: { try store.recover() })
        let file = TranscriptFiles.folder.appendingPathComponent("a-slow-workers-replica-moves-to-an-idle-one.txt")
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.first?.isNumber == true { _ = try player.play(String(line)) }
        }
        let events = try store.events(of: RunID(1), countMax: 100).filter { $0.piece == "replica-0" }
        #expect(events.map(\.message) == [
            "work 1 epoch 1 leased to a, from iteration 0",
            "work 1 epoch 1 of a checkpoint 2, 1 metrics",
            "work 1 epoch 2 leased to c as a backup, from iteration 2: epoch 1 of a goes at 10 % of the usual pace",
            "work 1 epoch 2 of c checkpoint 4, 1 metrics",
            "work 1 epoch 2 of c checkpoint 10, 1 metrics",
            "work 1 epoch 1 of a revoked: epoch 2 of c has overtaken it, at iteration 10",
            "work 1 epoch 1 of a turned down: work 1 epoch 1 does not count any more; the latest epoch is 2",
            "work 1 epoch 2 of c done: replica weights-1",
        ])
    }
}
