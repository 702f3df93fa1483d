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
        // The same as fields, for scripts.
        #expect(events.map { "\($0.epoch!) \($0.kind) \($0.worker!) \($0.iteration ?? 0) \($0.outcome ?? "")" } == [
            "1 lease a 0 ", "1 checkpoint a 2 ", "2 backup c 2 ", "2 checkpoint c 10 ", "1 release a 0 revoked",
            "1 stale a 0 ", "2 result c 0 ",
        ])
        #expect(events.allSatisfy { $0.work == WorkID(1) })
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
        // Who looks through twenty entries for each one that is asked for finds nothing else among these.
        let lease = Lease(work: WorkID(1), epoch: 2)
        for iteration in 6...400 as ClosedRange<UInt32> {
            let checkpoint = Checkpoint(iteration: iteration, blob: blob("checkpoint", "at-\(iteration)"))
            _ = try store.commit([.checkpointAccepted(lease, "b", checkpoint, [])], wallMilliseconds: 0)
        }
        #expect(try store.events(of: RunID(1), countMax: 12).filter { $0.piece == "replica-0" }.map(\.message) == [
            "work 1 epoch 1 leased to a, from iteration 0",
            "work 1 epoch 1 of a checkpoint 5, 1 metrics",
            "work 1 epoch 1 of a failed: no memory",
            "work 1 epoch 2 leased to b, from iteration 5",
            "work 1 epoch 2 of b checkpoint 400, 0 metrics",
        ])
    }
}
