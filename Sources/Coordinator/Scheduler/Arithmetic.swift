import Protocol

// Sessions begin, go on and are doubled on workers only that compute alike: the same seed then gives the same bytes
// whoever does it. How a worker computes it proves in its hello (`Hello.arithmetic`).

extension Scheduler {
    /// Whether a worker would give other bytes than those that a session has begun with.
    func computesOtherwise(_ work: WorkRecord, _ worker: WorkerRecord) -> Bool {
        work.kind == .session && computesOtherwise(runs[work.run]!, worker)
    }

    func computesOtherwise(_ run: RunRecord, _ worker: WorkerRecord) -> Bool {
        worker.facts.arithmetic != (run.arithmetic ?? commonArithmetic(for: run))
    }

    /// How most of the workers compute that are there and have the memory: a run begins with what the most can go on
    /// with.
    private func commonArithmetic(for run: RunRecord) -> ContentDigest? {
        var counts: [ContentDigest?: Int] = [:]
        for worker in workers.values where isThere(worker, for: run) {
            counts[worker.facts.arithmetic, default: 0] += 1
        }
        let most = counts.max { ($0.value, order($1.key)) < ($1.value, order($0.key)) }
        return most?.key ?? nil
    }

    private func isThere(_ worker: WorkerRecord, for run: RunRecord) -> Bool {
        worker.isConnected && !worker.isLeaving && aside[worker.name.machine] == nil && fits(run, worker)
    }

    private func order(_ digest: ContentDigest?) -> String { digest.map { "\($0)" } ?? "" }

    /// With the first lease on one of its sessions a run's arithmetic is chosen.
    mutating func chooseArithmetic(for id: WorkID, by name: WorkerName) {
        guard works[id]!.kind == .session, runs[works[id]!.run]!.arithmetic == nil,
            let arithmetic = workers[name]!.facts.arithmetic
        else { return }
        runs[works[id]!.run]!.arithmetic = arithmetic
        actions.append(.persist(.arithmeticChosen(works[id]!.run, arithmetic)))
    }

    /// For people: why sessions of a run wait although workers are there; nil where one of them fits.
    package func whyNobodyComputesAlike(_ run: RunRecord) -> String? {
        guard let begun = run.arithmetic else { return nil }
        let steps = run.plan.steps.indices.filter { run.plan.steps[$0].kind == .session }
        let there = workers.values.filter { isThere($0, for: run) }
        let others = there.filter { $0.facts.arithmetic != begun }
        guard steps.contains(where: { !run.ready[$0].isEmpty }), !others.isEmpty, others.count == there.count else {
            return nil
        }
        let names = others.map(\.name).sorted().prefix(3).joined(separator: ", ")
        return "it has begun with arithmetic \("\(begun)".prefix(12)), and no connected worker computes so: \(names) "
            + "would give other bytes; start a worker of the program that it began with, or begin anew: cancel and "
            + "forget this run, and submit it again"
    }
}
