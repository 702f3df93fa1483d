import Protocol

/// What a worker may do with blobs: read what its leases name, upload while it has one. It never sees another run's
/// images, and one that lost its lease cannot fill the disk.
package struct LeaseAccess {
    package init() {}

    /// The leases it was given, with what each one reads once that has been asked for.
    private var readable: [Lease: Set<ContentDigest>?] = [:]

    /// Whether one of its leases reads it.
    mutating func reads(_ digest: ContentDigest, of name: WorkerName, by scheduler: Scheduler) -> Bool {
        forgetStale(of: name, by: scheduler)
        return readable.keys.contains { scheduler.digestsRead(under: $0).contains(digest) }
    }

    /// The run of one of its leases whose item has this input on a shared file system; to be asked after `refusal`.
    func run(sharing digest: ContentDigest, by scheduler: Scheduler) -> RunID? {
        for lease in readable.keys {
            let id = scheduler.checks.check(under: lease)?.work ?? lease.work
            guard let work = scheduler.works[id], scheduler.places(of: work).contains(where: { $0.digest == digest })
            else { continue }
            return work.run
        }
        return nil
    }

    private mutating func forgetStale(of name: WorkerName, by scheduler: Scheduler) {
        for lease in readable.keys where !scheduler.isHeld(lease, by: name) { readable[lease] = nil }
    }

    /// Also forgets those that are over: a worker that has all it reads on a shared file system asks for no blob, after
    /// which the others go.
    package mutating func add(_ lease: Lease, of name: WorkerName, by scheduler: Scheduler) {
        forgetStale(of: name, by: scheduler)
        readable[lease] = .some(nil)
    }

    /// Why this worker does not get what it asks for; nil when it may have it.
    package mutating func refusal(of message: Message, from name: WorkerName, by scheduler: Scheduler) -> Refusal? {
        forgetStale(of: name, by: scheduler)
        guard case .blobGet(let digest, _, _) = message else {
            return readable.isEmpty
                ? Refusal(code: .staleLease, message: "only a worker with a lease uploads; stop working on it") : nil
        }
        for lease in readable.keys {
            if readable[lease]! == nil { readable[lease] = scheduler.digestsRead(under: lease) }
            if readable[lease]!!.contains(digest) { return nil }
        }
        return Refusal(code: .notAllowed, message: "no lease of '\(name)' reads blob \(digest)")
    }
}

extension Scheduler {
    /// Whether a result under this lease would count.
    func isHeld(_ lease: Lease, by name: WorkerName) -> Bool {
        switch standing(of: lease, of: name) {
        case .running, .lapsed: return true
        case .accepted, .stale: return false
        }
    }

    /// - Parameter lease: one that is held.
    func digestsRead(under lease: Lease) -> Set<ContentDigest> {
        if let check = checks.check(under: lease) {
            return Set((describe(works[check.work]!).inputs + (check.base.map { [$0.blob] } ?? [])).map(\.digest))
        }
        let work = works[lease.work]!
        let fetching = work.liveLeases.first { $0.epoch == lease.epoch }?.fetching ?? []
        return Set((describe(work).inputs + work.checkpoints.map(\.blob)).map(\.digest) + fetching)
    }
}
