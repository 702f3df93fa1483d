import Coordinator
import Protocol
import Testing

/// What has ended leaves memory, and nothing of it is lost.
@Suite struct ArchiveTests {
    private func play(_ lines: [String]) throws -> TranscriptPlayer {
        var player = TranscriptPlayer(store: try Store(path: ":memory:"))
        for line in lines { _ = try player.play(line) }
        return player
    }

    private static let refused = [
        "0 submit k segment voters=1 volumes=u,v", "0 connect a", "0 idle a", "1 done a 1.1", "2 voted 2", "2 idle a",
        "3 done a 3.1", "3 idle a", "4 refuse a 4.1 no lungs",
    ]

    /// Of a volume that has its answer a state and an epoch stay, of one that is under way the record.
    @Test func settledWorksLeaveMemoryWhileTheRunGoesOn() throws {
        let player = try play(Array(Self.refused.prefix(8)))
        #expect(player.scheduler.works.touchedCount == 1)
        #expect(player.scheduler.works[WorkID(3)]?.state == .done)
        // Whoever has not heard that its result was accepted is told so.
        guard case .accepted = player.scheduler.standing(of: Lease(work: WorkID(3), epoch: 1), of: "a") else {
            Issue.record("the result of a settled work is not known any more")
            return
        }
    }

    @Test func anEndedRunLeavesMemoryAndIsTriedAgainWhenItIsSubmittedAgain() throws {
        var player = try play(Self.refused)
        let counts = try #require(player.scheduler.runs[RunID(1)]).counts
        #expect(player.scheduler.runs[RunID(1)]?.state == .ended)
        // Not before those have heard of it who have to.
        #expect(player.scheduler.runsToArchive(at: 30_003) == [])
        #expect(player.scheduler.runsToArchive(at: 30_004) == [RunID(1)])
        _ = player.scheduler.apply(.archive(RunID(1)), at: 30_004)
        #expect(player.scheduler.runs.isEmpty && player.scheduler.works[WorkID(1)] == nil)
        // People are told of it as before.
        let (record, sessions) = try #require(try player.store.archived(RunID(1)))
        #expect(record.counts == counts && record.layout.itemCount == 2 && record.refusedCount == 1)
        #expect(sessions.isEmpty)
        // What ended well stays, what was refused is tried again.
        let actions = try player.play("40000 submit k segment voters=1 volumes=u,v").map(\.description)
        #expect(actions.first == "persist run 1 reopened: works 4 ready, 5 waiting, 6 waiting")
        #expect(player.scheduler.works[WorkID(3)]?.state == .done)
    }

    @Test func aStartReadsOfAnEndedRunThatItIsThereAndNoMore() throws {
        var player = try play(Self.refused)
        _ = try player.play("50 restart")
        #expect(player.scheduler.runs.isEmpty && player.scheduler.works.touchedCount == 0)
        let actions = try player.play("60 pause 1").map(\.description)
        #expect(actions == ["answer refusal notAllowed: run 1 is ended; only a run that goes on can be paused"])
        // Its number and those of its works are not given again, and it can be forgotten.
        let other = try player.play("70 submit l segment voters=1 volumes=w").map(\.description)
        #expect(other.first == "persist run 2 added: segment test, works 7 to 9")
        #expect(try player.play("80 forget 1").map(\.description) == ["persist run 1 forgotten", "answer accepted"])
        #expect(try player.store.rowCount(of: "works") == 3)
    }
}
