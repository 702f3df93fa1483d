import Coordinator
import Protocol
import Testing

/// Notices: a work that another's number is taken for, an epoch or a state that is lost when the record goes.
@Suite struct WorkTableTests {
    private static let plan = Plan.segmenting

    private func items(_ items: Range<Int>, run: UInt64, first: UInt64) -> NewWorks {
        NewWorks(of: Self.plan, items: items, run: RunID(run), firstWork: WorkID(first))
    }

    @Test func worksAreFoundByTheirNumbersHoweverTheyCame() throws {
        var table = WorkTable()
        table.add(items(0..<2, run: 1, first: 10))  // works 10 to 15
        table.add(items(0..<1, run: 2, first: 16))  // 16 to 18
        table.add(items(2..<4, run: 1, first: 19))  // 19 to 24
        #expect(table[WorkID(9)] == nil && table[WorkID(25)] == nil)
        let found = (10...24).compactMap { table[WorkID(UInt64($0))] }
        #expect(found.map(\.run.value) == [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1])
        #expect(found.map(\.step) == [0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2])
        #expect(found.map(\.index) == [0, 0, 0, 1, 1, 1, 0, 0, 0, 2, 2, 2, 3, 3, 3])
        #expect(found.map(\.state) == found.map { $0.step == 0 ? .ready : .waiting })
        #expect(table.touchedCount == 0)
    }

    @Test func aSettledWorkKeepsWhatAnybodyMayStillAsk() throws {
        var table = WorkTable()
        table.add(items(0..<2, run: 1, first: 1))
        table[WorkID(4)]!.state = .done
        table[WorkID(4)]!.epoch = 7
        table[WorkID(4)]!.doneEpoch = 7
        table[WorkID(4)]!.madeOn = "lab3"
        table[WorkID(4)]!.isConfirmed = true
        table[WorkID(4)]!.lastFailure = "is forgotten"
        table.settle(WorkID(4))
        #expect(table.touchedCount == 0)
        var other = WorkTable()
        other.add(items(0..<1, run: 2, first: 20))
        other[WorkID(20)]!.state = .done
        other[WorkID(20)]!.madeOn = "lab9"
        other.settle(WorkID(20))
        table.add(other)
        let work = try #require(table[WorkID(4)]), foreign = try #require(table[WorkID(20)])
        #expect(work.state == .done && work.epoch == 7 && work.doneEpoch == 7)
        #expect(work.madeOn == "lab3" && work.isConfirmed && work.lastFailure == "")
        #expect(foreign.madeOn == "lab9" && !foreign.isConfirmed)
    }

    /// Under whose epoch it was done is asked for: one that was done under another than its latest stays whole.
    @Test func whatWouldBeLostIsNotSettled() throws {
        var table = WorkTable()
        table.add(items(0..<1, run: 1, first: 1))
        table[WorkID(1)]!.state = .done
        table[WorkID(1)]!.epoch = 3
        table[WorkID(1)]!.doneEpoch = 2
        table.settle(WorkID(1))
        #expect(table[WorkID(1)]?.doneEpoch == 2)
        table[WorkID(2)]!.state = .voting
        table.settle(WorkID(2))
        #expect(table[WorkID(2)]?.state == .voting && table.touchedCount == 2)
    }
}
