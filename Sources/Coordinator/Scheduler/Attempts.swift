import Protocol

/// Where a worker runs, out of its name: "lab3" of "lab3:411-9f2c1b04", "gpu-a" of "gpu-a-9f2c1b04".
package typealias MachineName = String

/// How often in a row a piece of work failed on one machine, and how often its workers there were lost.
package struct Attempts: Hashable, Sendable {
    package var failureCount = 0
    package var lossCount = 0

    package init(failureCount: Int = 0, lossCount: Int = 0) {
        self.failureCount = failureCount
        self.lossCount = lossCount
    }
}

extension WorkerName {
    /// Without the random part that each start of a process adds.
    package var readablePart: String {
        guard let dash = lastIndex(of: "-"), case let token = self[index(after: dash)...].utf8, token.count == 8,
            token.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
        else { return self }
        return String(self[..<dash])
    }

    package var machine: MachineName {
        let readable = readablePart
        guard let colon = readable.lastIndex(of: ":"), colon > readable.startIndex,
            case let number = readable[readable.index(after: colon)...].utf8, !number.isEmpty,
            number.allSatisfy({ (48...57).contains($0) })
        else { return readable }
        return String(readable[..<colon])
    }
}

extension WorkRecord {
    package mutating func noteFailure(on worker: WorkerName) {
        failureCount += 1
        attempts[worker.machine, default: Attempts()].failureCount += 1
    }

    package mutating func noteLoss(on worker: WorkerName) {
        lossCount += 1
        attempts[worker.machine, default: Attempts()].lossCount += 1
    }

    /// The worker was only slow to be heard.
    package mutating func takeBackLoss(on worker: WorkerName) {
        lossCount = max(0, lossCount - 1)
        let left = (attempts[worker.machine]?.lossCount ?? 0) - 1
        attempts[worker.machine]?.lossCount = max(0, left)
    }

    /// What was read was damaged here: nobody is to blame for what failed.
    package mutating func forgetFailures() {
        failureCount = 0
        for machine in attempts.keys { attempts[machine]!.failureCount = 0 }
    }

    package mutating func forgetAttempts() {
        (failureCount, lossCount, attempts, triedBy) = (0, 0, [:], [])
    }

    /// No machine is to blame; what the coordinator itself found useless.
    package mutating func noteUselessResult() { failureCount += 1 }

    /// As the store remembers it.
    package mutating func recover(failureCount: Int, lossCount: Int, attempts: [MachineName: Attempts]) {
        (self.failureCount, self.lossCount, self.attempts) = (failureCount, lossCount, attempts)
    }
}

// Whether a piece of work is given up. What fails or kills its workers may be at fault itself, or the machine is: too
// little memory, a bad disk. So it counts where it went wrong, and one machine alone refuses nothing while another one
// that has not had its share is there.

extension Scheduler {
    /// So often in a row on one machine, and it is somebody else's turn.
    private static let attemptsPerMachineMax = 3
    /// So many times as often, and it is enough, whoever might still try.
    private static let endFactor = 4

    private func isSpent(_ work: WorkRecord, on machine: MachineName) -> Bool {
        guard let attempts = work.attempts[machine] else { return false }
        return max(attempts.failureCount, attempts.lossCount) >= Self.attemptsPerMachineMax
    }

    /// Whether a worker that is there may be the one with which it goes well: on a machine that has not had its share,
    /// or one that has not had it and was there before the latest to have it got it. (Those that start again and again,
    /// because it kills them, were not.)
    func mayStillTry(_ work: WorkRecord, _ worker: WorkerRecord) -> Bool {
        guard worker.isConnected, !worker.isLeaving, aside[worker.name.machine] == nil, fits(work, worker),
            !computesOtherwise(work, worker)
        else { return false }
        if !isSpent(work, on: worker.name.machine) { return true }
        return !work.triedBy.contains(worker.name) && worker.sinceMilliseconds <= work.triedMilliseconds
    }

    /// Whether others have to try first.
    func isLeftToOthers(_ work: WorkRecord, by name: WorkerName) -> Bool {
        guard isSpent(work, on: name.machine), let worker = workers[name], !mayStillTry(work, worker) else {
            return false
        }
        return workers.values.contains { mayStillTry(work, $0) }
    }

    /// For people: where work that is ready has gone wrong so far, and whom it waits for.
    package func whyItWaits(_ work: WorkRecord) -> String? {
        let counts = work.attempts.mapValues { max($0.failureCount, $0.lossCount) }.filter { $0.value > 0 }
        guard !counts.isEmpty else { return nil }
        let places = counts.sorted { $0.key < $1.key }.map { machine, count in
            "\(count == 1 ? "once" : "\(count) times") on \(machine)"
        }
        let isLeft = workers.values.contains { $0.isConnected && isLeftToOthers(work, by: $0.name) }
        let why = work.failureCount > 0 && !work.lastFailure.isEmpty ? "; the last time \(work.lastFailure)" : ""
        return "failed \(places.joined(separator: ", ")); waits for \(isLeft ? "another machine" : "a worker")" + why
    }

    /// Whether it has had all its attempts, and on more than one machine where there is more than one.
    func hasFailedTooOften(_ work: WorkRecord) -> Bool {
        guard work.failureCount >= configuration.failuresMax else { return false }
        return work.failureCount >= Self.endFactor * configuration.failuresMax
            || work.attempts.values.count { $0.failureCount > 0 } != 1
            || !workers.values.contains { mayStillTry(work, $0) }
    }

    func hasBeenLostTooOften(_ work: WorkRecord) -> Bool {
        guard work.lossCount >= configuration.lossesMax else { return false }
        return work.lossCount >= Self.endFactor * configuration.lossesMax
            || work.attempts.values.count { $0.lossCount >= Self.attemptsPerMachineMax } > 1
            || !workers.values.contains { mayStillTry(work, $0) }
    }

    /// Whether a worker has the memory that a step needs, as far as both are known.
    func fits(_ work: WorkRecord, _ worker: WorkerRecord) -> Bool {
        Self.isEnough(worker.facts.memoryByteCount, for: memoryNeeded(by: work))
    }

    func fits(_ run: RunRecord, _ worker: WorkerRecord) -> Bool {
        Self.isEnough(worker.facts.memoryByteCount, for: run.request.memoryByteCount)
    }

    /// What a step needs, or its item where that is more; 0: not known.
    func memoryNeeded(by work: WorkRecord) -> UInt64 {
        let run = runs[work.run]!, isOfItem = run.plan.steps[work.step].fan == .item
        return max(run.request.memoryByteCount, isOfItem ? run.request.items[work.index].memoryByteCount : 0)
    }

    private static func isEnough(_ has: UInt64, for needed: UInt64) -> Bool {
        needed == 0 || has == 0 || has >= needed
    }

    /// The most that a connected worker has, where that is too little for a run; nil where one fits or nobody is there.
    package func memoryThatIsTooLittle(for run: RunRecord) -> UInt64? {
        let connected = workers.values.filter { $0.isConnected && !$0.isLeaving }.map(\.facts.memoryByteCount)
        guard let most = connected.max(), !connected.contains(0), most < run.request.memoryByteCount else { return nil }
        return most
    }

    mutating func noteAttempt(of id: WorkID, under lease: LeaseRecord) {
        works[id]!.triedMilliseconds = lease.grantedMilliseconds
        works[id]!.triedBy.insert(lease.worker)
    }
}
