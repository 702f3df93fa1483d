import Platform
import Protocol

/// Who follows this coordinator, and what waits for them. Where a standby is wanted (`CoreSettings.needsStandby`), a
/// turn counts as committed, and anything is said of it, only when one of them has it as well: whoever is told
/// something is told what two machines keep.
struct Standbys {
    /// Up to which turn each of them has everything; nil before it has said so.
    private(set) var numbers: [ConnectionID: UInt64?] = [:]
    /// Turns that are in our store, and which no standby has yet.
    private(set) var waiting: [(number: UInt64, unreferenced: [ContentDigest])] = []

    var isEmpty: Bool { numbers.isEmpty }
    var connections: [ConnectionID] { numbers.keys.sorted() }
    /// Up to which turn one of them has everything.
    var safeNumber: UInt64? { numbers.values.compactMap(\.self).max() }

    mutating func add(_ connection: ConnectionID) { numbers[connection] = .some(nil) }
    mutating func remove(_ connection: ConnectionID) { numbers[connection] = nil }

    /// - Returns: false for one that does not follow.
    mutating func has(_ number: UInt64, _ connection: ConnectionID) -> Bool {
        guard let before = numbers[connection] else { return false }
        numbers[connection] = max(number, before ?? 0)
        return true
    }

    mutating func wait(_ number: UInt64, _ unreferenced: [ContentDigest]) { waiting.append((number, unreferenced)) }

    mutating func takeSafe() -> [(number: UInt64, unreferenced: [ContentDigest])] {
        guard let safe = safeNumber else { return [] }
        let count = waiting.firstIndex { $0.number > safe } ?? waiting.count
        defer { waiting.removeFirst(count) }
        return Array(waiting[..<count])
    }

    /// After a commit that failed: what had not been said is refused.
    mutating func startAgain() { waiting = [] }
}

// Another coordinator keeps what this one keeps.

extension CoordinatorCore {
    /// Somebody follows, or is about to.
    package var hasStandbys: Bool { !standbys.isEmpty }

    mutating func follow(_ requestID: UInt32, _ connection: ConnectionID) {
        guard standbys.numbers.count < Limits.standbysMax else {
            return refuse(.limit, "\(Limits.standbysMax) others follow already", requestID, connection)
        }
        turn.atOnce.append(.snapshot(requestID: requestID, to: connection))
    }

    /// Its snapshot is made: every commit after that is told to this peer, too, even before it has the snapshot.
    /// - Returns: false where it has gone.
    package mutating func attach(_ connection: ConnectionID) -> Bool {
        guard peers[connection]?.isClosing == false else { return false }
        standbys.add(connection)
        return true
    }

    /// Whether it has the snapshot and all blobs, at least.
    package func hasSnapshot(_ connection: ConnectionID) -> Bool { (standbys.numbers[connection] ?? nil) != nil }

    /// What those who follow are told of a commit.
    package func replicate(_ change: StandbyChange) -> [Outgoing] {
        let parts = change.parts
        return standbys.connections.flatMap { connection in
            parts.map { .send($0, requestID: 0, to: connection) }
        }
    }

    mutating func standbyHas(_ number: UInt64, _ requestID: UInt32, _ connection: ConnectionID) {
        guard standbys.has(number, connection) else {
            return refuse(.notAllowed, "say follow first", requestID, connection)
        }
        turn.atOnce.append(.send(.accepted, requestID: requestID, to: connection))
        turn.atOnce += standbys.takeSafe().flatMap { conclude($0.number, unreferenced: $0.unreferenced) }
    }

    /// Nobody has what waits, and nobody is there who could: people hear why nothing goes on.
    mutating func lookForStandby() {
        guard settings.needsStandby, !standbys.waiting.isEmpty, standbys.isEmpty else { return }
        turn.atOnce += waits(
            "nothing is acknowledged, since no standby follows: start one with --follow, or start this coordinator "
                + "again without --sync-standby")
    }
}
