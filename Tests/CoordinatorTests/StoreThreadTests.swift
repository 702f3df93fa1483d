import Coordinator
import Foundation
import Platform
import Testing

/// Hits failpoints of its own folder only.
@Suite struct StoreThreadTests {
    let folder: TestFolder

    init() throws { folder = try TestFolder() }

    private func workerCount() throws -> Int { try Store(path: folder.file("state.sqlite")).rowCount(of: "workers") }

    /// A thread that has met a full disk with its first turn and tries on; a second turn waits behind it.
    private func threadWithTwoTurnsWaiting() throws -> StoreThread {
        Failpoint.set("store.beforeCommit", .fail(ENOSPC), hitNumber: 1, detailPart: folder.path)
        defer { Failpoint.clear("store.beforeCommit", detailPart: folder.path) }
        let waits = DispatchSemaphore(value: 0)
        let thread = StoreThread(
            store: try Store(path: folder.file("state.sqlite")), folder: folder.path, log: .none
        ) { report in
            if case .waits = report { waits.signal() }
        }
        thread.commit(Turn(number: 1, changes: [.workerConnected("first", testFacts)]))
        #expect(waits.wait(timeout: .now() + 60) == .success)
        thread.commit(Turn(number: 2, changes: [.workerConnected("second", testFacts)]))
        return thread
    }

    /// Notices the second turn in the store without the first: what was given up is no gap before what follows.
    @Test func whatWaitsBehindATurnWithoutRoomIsNotKeptWithoutIt() throws {
        try threadWithTwoTurnsWaiting().end()
        // Both only where this machine stood still until the second try.
        #expect([0, 2].contains(try workerCount()))
    }

    /// Notices that a process that is killed still commits what was queued.
    @Test func whatIsQueuedAtACrashIsLost() throws {
        let thread = try threadWithTwoTurnsWaiting()
        thread.end(isAbrupt: true)
        #expect(try workerCount() != 1)
    }

    /// Notices turns dropped at an ordinary end.
    @Test func whatIsQueuedAtTheEndIsKept() throws {
        let thread = StoreThread(
            store: try Store(path: folder.file("state.sqlite")), folder: folder.path, log: .none
        ) { _ in }
        for number in 1...20 {
            thread.commit(Turn(number: UInt64(number), changes: [.workerConnected("w\(number)", testFacts)]))
        }
        thread.end()
        #expect(try workerCount() == 20)
    }
}
