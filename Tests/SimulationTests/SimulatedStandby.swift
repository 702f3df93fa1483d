import Coordinator
import Platform
import Protocol

/// A second machine that keeps what the coordinator's keeps: the real database, fed with the real record of changes;
/// its connection, its pace and its blobs are simulated. This is the shell that `Standby` is.
final class SimulatedStandby {
    struct Kept {
        var change: StandbyChange
        /// What the promises knew when it was committed.
        var promises: Promises
    }

    /// Connections of standbys have numbers above this.
    static let first = 1_000_000

    let disk: SimulatedDisk
    var blobs = SimulatedBlobs()
    /// Everything that was committed, in order, and how much of it is here.
    var kept: [Kept] = []
    var seenCount = 0
    /// As of what is here.
    var promises: Promises
    /// Counts its connections.
    var generation = 0
    var isFollowing = false
    var freeAt: Int64 = 0

    init(_ promises: Promises) throws {
        disk = try SimulatedDisk()
        self.promises = promises
    }

    static func connection(_ generation: Int) -> ConnectionID { ConnectionID(number: UInt64(first + generation)) }
    static func generationOf(_ connection: ConnectionID) -> Int? {
        Int(connection.description.dropFirst(11)).flatMap { $0 > first ? $0 - first : nil }
    }
}

extension Simulation {
    func startStandby() throws {
        coordinator.standby = try SimulatedStandby(promises)
        coordinator.settings.needsStandby = bug != .acknowledgesBeforeStandby
        try coordinator.disk.store.database.beginCapture()
    }

    /// It dials, says hello and asks for everything.
    func standbyFollows(_ life: Int) {
        guard let standby = coordinator.standby, coordinator.isRunning, life == coordinator.life else { return }
        guard now >= coordinator.suspendedUntil else {
            return queue.add(.standbyFollows(life: life), at: coordinator.suspendedUntil)
        }
        standby.generation += 1
        standby.isFollowing = false
        let connection = SimulatedStandby.connection(standby.generation)
        say("the standby follows")
        coordinator.core!.accepted(connection, address: "standby:1", at: UInt64(coordinator.clock.local(now)))
        let hello = Hello(
            role: .client, versionMin: VersionNegotiation.versionMin, versionMax: VersionNegotiation.versionMax,
            build: "simulated", name: "standby", threadCount: 0, device: "none", held: [])
        hear(FrameEncoder.magic + frame(.hello(hello), 1) + frame(.follow, 2), connection)
        decided()
    }

    /// The copy of the database: all that it has not seen.
    func standbyIsAttached(_ connection: ConnectionID) {
        guard let standby = coordinator.standby, coordinator.core!.attach(connection) else { return }
        standby.isFollowing = true
        standby.freeAt = now + standbyRandom.between(5, 2_000)
        hearLater(standby)
    }

    /// What a commit has changed is on its way to it.
    func tellStandby(_ turn: Turn, _ unreferenced: [ContentDigest]) throws {
        guard let standby = coordinator.standby else { return }
        let change = StandbyChange(
            number: turn.number, references: Array(turn.references), gone: unreferenced,
            changeset: try coordinator.disk.store.database.takeChanges())
        standby.kept.append(SimulatedStandby.Kept(change: change, promises: promises))
        guard standby.isFollowing else { return }
        let isSlow = standbyRandom.happens(perMille: 50)
        standby.freeAt = max(now, standby.freeAt) + standbyRandom.below(isSlow ? 3_000 : 20)
        hearLater(standby)
    }

    private func hearLater(_ standby: SimulatedStandby) {
        queue.add(
            .standbyHears(
                life: coordinator.life, connection: standby.generation, index: standby.kept.count,
                number: coordinator.committedNumber),
            at: standby.freeAt)
        if bug == .standbySaysTooMuch { sayIsThere(coordinator.committedNumber, standby) }
    }

    func standbyHears(_ life: Int, _ generation: Int, _ index: Int, _ number: UInt64) {
        guard let standby = coordinator.standby, life == coordinator.life, coordinator.isRunning,
            standby.generation == generation, standby.isFollowing
        else { return }
        if hasFaults, standbyRandom.happens(perMille: 15) { return cutStandby(standby) }
        while standby.seenCount < index {
            let kept = standby.kept[standby.seenCount]
            do { try standby.disk.apply(kept.change) } catch {
                return promises.violate("the standby cannot make a change of the coordinator's: \(error)")
            }
            for digest in kept.change.references where bug != .standbyLeavesBlobsOut {
                // What the coordinator has not, or no more, is not waited for.
                if let bytes = try? coordinator.blobs.read(digest, offset: 0, count: .max / 2),
                    simulatedDigest(bytes) == digest
                {
                    _ = standby.blobs.store(bytes)
                }
            }
            for digest in kept.change.gone { standby.blobs.remove(digest) }
            standby.promises = kept.promises
            standby.seenCount += 1
        }
        sayIsThere(number, standby)
    }

    private func sayIsThere(_ number: UInt64, _ standby: SimulatedStandby) {
        let input = CoordinatorInput.standbyHas(number, generation: standby.generation)
        queue.add(.coordinator(life: coordinator.life, input), at: now + standbyRandom.below(10))
    }

    private func cutStandby(_ standby: SimulatedStandby) {
        say("the standby's connection is cut")
        standby.isFollowing = false
        let input = CoordinatorInput.standbyGoes(generation: standby.generation)
        queue.add(.coordinator(life: coordinator.life, input), at: now + standbyRandom.below(2_000))
        queue.add(.standbyFollows(life: coordinator.life), at: now + standbyRandom.between(3_000, 10_000))
    }

    /// Of the coordinator that has just ended nothing is left, disk included.
    func standbyMayTakeOver() {
        guard let standby = coordinator.standby, hasFaults, standbyRandom.happens(perMille: 300) else { return }
        say("the coordinator's machine is lost; the standby takes over with \(standby.seenCount) of "
            + "\(standby.kept.count) commits")
        promotionCount += 1
        coordinator.standby = nil
        coordinator.settings.needsStandby = false
        coordinator.disk = standby.disk
        coordinator.blobs = standby.blobs
        promises.goOn(from: standby.promises)
    }
}
