import Protocol

// What people do to runs and workers that are under way.

extension CoordinatorClient {
    /// More items of a run that was submitted open, all of whose blobs are uploaded or registered.
    /// - Parameter first: how many it has already; saying the same again changes nothing.
    /// - Throws: `ClientError`; `.refused` where the items are closed, or others are there already.
    public func append(_ items: [ItemSubmission], to run: RunID, first: Int) throws {
        let manifest = try uploadManifest(items)
        try expectAcceptance(of: .appendItems(run, first: UInt32(first), manifest: manifest))
    }

    /// The answers of these items are safe here: nothing of them is kept there any longer. Those without one stay.
    /// - Parameter items: their positions.
    /// - Throws: `ClientError`; `.refused` for a run that nobody knows.
    public func collect(_ items: [Int], of run: RunID) throws {
        for first in stride(from: 0, to: items.count, by: Limits.collectedMax) {
            let part = items[first..<min(items.count, first + Limits.collectedMax)].map { UInt32($0) }
            try expectAcceptance(of: .collected(run, items: part))
        }
    }

    /// Inputs that are to be uploaded, for workers that do not see them on the shared file system.
    /// - Throws: `ClientError`.
    public func wanted(of run: RunID) throws -> [ContentDigest] {
        guard case .wanted(let digests) = try request(.wantedRequest(run)) else { throw unexpected }
        return digests
    }

    /// No more items come: the run ends with those that it has.
    /// - Throws: `ClientError`; `.refused` for a run that nobody knows.
    public func closeItems(of run: RunID) throws { try expectAcceptance(of: .closeItems(run)) }

    /// Nothing of a run that has ended is kept.
    /// - Throws: `ClientError`; `.refused` for a run that goes on, or that nobody knows.
    public func forget(_ run: RunID) throws { try expectAcceptance(of: .forget(run)) }

    /// The run gets no new leases; a training hands its lease back with its next checkpoint.
    /// - Throws: `ClientError`; `.refused` for a run that has ended, or that nobody knows.
    public func pause(_ run: RunID) throws { try expectAcceptance(of: .pause(run)) }

    /// - Throws: `ClientError`; `.refused` for a run that has ended, or that nobody knows.
    public func resume(_ run: RunID) throws { try expectAcceptance(of: .resume(run)) }

    /// Runs of a higher priority go first; 0 is what a run begins with.
    /// - Throws: `ClientError`; `.refused` for a run that has ended, or that nobody knows.
    public func prioritise(_ run: RunID, priority: Int32) throws {
        try expectAcceptance(of: .prioritise(run, priority: priority))
    }

    /// Gives a machine work again that was set aside because it got other bytes than others.
    /// - Throws: `ClientError`; `.refused` where no machine of that name is set aside.
    public func readmit(machine: String) throws { try expectAcceptance(of: .readmit(machine: machine)) }

    /// Tells workers to hand their work back and to leave.
    /// - Parameter worker: a worker's name, with or without the random part; or a machine's, for all workers there.
    /// - Throws: `ClientError`; `.refused` where no worker that is connected is so called.
    public func drain(worker: String) throws { try expectAcceptance(of: .drain(worker: worker)) }

    private func expectAcceptance(of message: Message) throws {
        guard case .accepted = try request(message) else { throw unexpected }
    }
}
