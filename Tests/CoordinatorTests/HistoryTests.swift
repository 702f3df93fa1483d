import Coordinator
import Foundation
import Protocol
import Testing

@Suite struct HistoryTests {
    /// Who trained which iterations of a replica, under which lease, and why did it move? What
    /// `quintet status --history` prints.
    @Test func theHistoryTellsWhoTrainedWhichIterationsAndWhyAReplicaMoved() throws {
        let store = try Store(path: ":memory:")
        var player = TranscriptPlayer(store: store)
        let file = TranscriptFiles.folder.appendingPathComponent("a-slow-workers-replica-moves-to-an-idle-one.txt")
        for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
            if line.first?.isNumber == true { _ = try player.play(String(line)) }
        }
        let events = try store.events(of: RunID(1), countMax: 100).filter { $0.piece == "replica-0" }
        #expect(events.map(\.message) == [
            "work 1 epoch 1 leased to a, from iteration 0",
            "work 1 epoch 1 of a checkpoint 2, 1 metrics",
            "work 1 epoch 2 leased to c as a backup, from iteration 2: epoch 1 of a goes at 10 % of the usual pace",
            "work 1 epoch 2 of c checkpoint 10, 1 metrics",
            "work 1 epoch 1 of a revoked: epoch 2 of c has overtaken it, at iteration 10",
            "work 1 epoch 1 of a turned down: work 1 epoch 1 does not count any more; the latest epoch is 2",
            "work 1 epoch 2 of c done: replica weights-1",
        ])
    }

    /// Neither in what is printed, nor by what is left out where there is much.
    @Test func aLongTrainingHidesNoMove() throws {
        let store = try Store(path: ":memory:")
        var player = TranscriptPlayer(store: store)
        for line in [
            "0 submit k train replicas=2", "0 connect a", "0 idle a", "0 connect b", "0 idle b",
            "10 checkpoint a 1.1@5", "20 fail a 1.1 no memory", "25 verified 1",
            "30 fail b 2.1 no memory", "30 idle b",
        ] { _ = try player.play(line) }
        for iteration in 6...90 { _ = try player.play("\(100 * iteration) checkpoint b 1.2@\(iteration)") }
        #expect(try store.events(of: RunID(1), countMax: 12).filter { $0.piece == "replica-0" }.map(\.message) == [
            "work 1 epoch 1 leased to a, from iteration 0",
            "work 1 epoch 1 of a checkpoint 5, 1 metrics",
            "work 1 epoch 1 of a failed: no memory",
            "work 1 epoch 2 leased to b, from iteration 5",
            "work 1 epoch 2 of b checkpoint 90, 1 metrics",
        ])
    }
}
