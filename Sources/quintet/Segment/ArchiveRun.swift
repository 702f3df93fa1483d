import Coordinator
import Foundation
import Platform
import Protocol

// The run at the coordinator that items are sent to: found again after a crash, opened when there is something to send,
// closed when all is there, and begun anew before it grows too large.

extension ArchiveStream {
    /// What an earlier command has sent, as far as the coordinator knows of it.
    func resume() throws {
        guard let open = journal.run else { return }
        let known = try session.client.status().runs.first { $0.idempotencyKey == open.key }
        guard let known, known.state != "cancelled" else { return try end(open) }
        let run = RunID(known.id)
        // Left in the moment in which it was to end; of other settings; or the journal has lost what was sent last:
        // what comes of it cannot be used.
        guard !open.isEnded, open.settings == plan.settingsDigest, known.volumeCount <= journal.sent.count else {
            if known.state == "running" { try leave(run, known) }
            return try end(open)
        }
        // Said, and never heard there.
        if known.volumeCount < journal.sent.count { try journal.noteSentCount(known.volumeCount) }
        session.adopt(run, key: open.key)
        self.run = run
        for (position, sent) in journal.sent.enumerated() {
            if journal.rows[sent.name]?.content != sent.content { inFlight[position] = sent }
        }
        if !inFlight.isEmpty {
            progress.say("going on with \(run): \(inFlight.count) CTs were sent by an earlier command")
        }
        try fetch(of: run)
        // Nothing more can be sent to it.
        if known.state != "running" { try end(open) }
    }

    /// Nothing goes to it any more.
    func end(_ open: ArchiveJournal.OpenRun) throws {
        var ended = open
        ended.isEnded = true
        if !open.isEnded { try journal.note(ended) }
        run = nil
        inFlight = [:]
    }

    /// A run that nobody waits for ends, at once where some of it is still to be done.
    private func leave(_ run: RunID, _ status: StatusReport.Run) throws {
        let isDone = status.works.done + status.works.refused == status.works.total
        try isDone ? session.client.closeItems(of: run) : session.client.cancel(run)
    }

    func openRunIfNeeded() throws {
        if let full = run, journal.sent.count >= Self.runItemsMax, inFlight.isEmpty {
            try closeRun(full)
            // Of a million CTs no history is kept but the last part's; all answers are here.
            try session.client.forget(full)
        }
        guard run == nil else { return }
        let number = (journal.run?.number ?? 0) + 1
        let submission = try plan.submission(folderID: journal.folderID, number: number, session: session)
        // Before it is there: what is not there is looked for once, and no harm is done.
        try journal.note(.init(
            number: number, key: submission.idempotencyKey, isEnded: false, settings: plan.settingsDigest))
        run = try session.submit(submission, folder: plan.output.path, progress: progress)
        sequence = 0
    }

    /// All that is to be sent is answered: the run ends, unless some of it is to be answered by others.
    func endRun() throws {
        guard let run else { return }
        try closeRun(run)
        try askAgainForTheDistrusted()
        if todoIndex < todo.count { try flowOn() }
    }

    /// All that was sent is answered: no more comes, and what is to be said of it is said.
    private func closeRun(_ run: RunID) throws {
        guard let open = journal.run else { return }
        try end(open)
        if hasGivenUp {
            try session.client.cancel(run)
        } else {
            try session.client.closeItems(of: run)
            // The last comparisons may still be under way.
            _ = try session.wait(for: run, progress: progress, onChange: { try self.fetch(of: run) })
            // What was being compared when its answer came has stayed until now.
            if session.isVerifying { try session.client.collect(Array(journal.sent.indices), of: run) }
        }
        hasGivenUp = false
        // What is left there came too late to count.
        try? FileSystem.removeTree("\(plan.output.path)/\(StreamOptions.answerFolderName)")
    }

    /// Inputs that a worker does not see on the shared file system.
    func bringWhatIsWanted(of run: RunID) throws {
        guard plan.options.shared != nil else { return }
        for digest in try session.client.wanted(of: run) {
            guard let path = path(of: "\(digest)") else { continue }
            do {
                let blob = BlobReference(
                    role: "ct", name: WireName.fitting(Archive.fileName(path), byteCountMax: Limits.nameBytesMax),
                    digest: digest, byteCount: try FileSystem.byteCount(of: path))
                try session.client.upload(path: path, as: blob)
            } catch let error as FileError where error.path == path {
                try giveUp("\(digest)", "\(error); say the same command again when it is there")
            } catch ClientError.damaged {
                try giveUp("\(digest)", "\(path) has changed since it was looked at; say the same command again")
            } catch ClientError.refused(let refusal) where refusal.code == .damaged || refusal.code == .malformed {
                try giveUp("\(digest)", "\(path) has changed since it was looked at; say the same command again")
            }
        }
    }

    /// Nobody can compute on what is not there any more. Without content: the next command looks at the file again.
    private func giveUp(_ digest: String, _ message: String) throws {
        hasGivenUp = true
        progress.warn("refused: \(message)")
        for (position, sent) in inFlight where sent.content.ct == digest || sent.content.mask == digest {
            try conclude(position, with: AnswerRow(name: sent.name, source: sent.source, refused: message))
        }
    }

    private func path(of digest: String) -> String? {
        for sent in inFlight.values {
            if sent.content.ct == digest { return sent.source }
            if sent.content.mask == digest { return sent.mask }
        }
        return nil
    }

    // MARK: - CTs that are too large

    /// How long a larger worker may take to come.
    private static let patienceMilliseconds: UInt64 = 60_000

    /// When nothing is left but CTs that no connected worker has the memory for: they are refused by name.
    func refuseWhatFitsNowhere(_ status: StatusReport.Run) throws {
        guard status.works.leased == 0, !status.isPaused, let run else { return tooLargeSinceMilliseconds = nil }
        let workers = try session.client.status().workers.filter { $0.isConnected && !$0.isLeaving }
        let sizes = workers.map { $0.memoryByteCount ?? .max }
        guard let most = sizes.max(), inFlight.values.allSatisfy({ $0.memoryByteCount > most }) else {
            return tooLargeSinceMilliseconds = nil
        }
        let now = MonotonicClock.nowMilliseconds(), since = tooLargeSinceMilliseconds ?? now
        tooLargeSinceMilliseconds = since
        guard now - since >= Self.patienceMilliseconds else { return }
        func gibibytes(_ count: UInt64) -> String { String(format: "%.1f GiB", Double(count) / Double(1 << 30)) }
        for (position, item) in inFlight {
            let reason = "\(item.source): needs \(gibibytes(item.memoryByteCount)) of memory, and the largest worker "
                + "has \(gibibytes(most)); start one on a larger machine, and say --retry-failed"
            progress.warn("refused: \(reason)")
            try conclude(position, with: AnswerRow(
                name: item.name, source: item.source, refused: reason, byteCount: item.byteCount,
                content: item.content, build: Version.build))
        }
        // Nobody will do it; the same command opens another run.
        try session.client.cancel(run)
        try end(journal.run!)
    }

    // MARK: - Machines that are not trusted

    /// What a machine made that was set aside since then is asked for once more, of others.
    private func askAgainForTheDistrusted() throws {
        guard session.isVerifying else { return }
        let aside = Set((try session.client.status().setAside ?? [:]).keys).subtracting(distrusted)
        guard !aside.isEmpty else { return }
        distrusted.formUnion(aside)
        let doubtful = Set(table.ownRows.filter { row in
            row.refused == nil && row.worker.map { aside.contains($0.machine) } ?? false
        }.map(\.name))
        guard !doubtful.isEmpty else { return }
        progress.warn("\(doubtful.count) answers are of machines that were set aside; they are asked for again")
        for name in doubtful {
            try journal.drop(name)
            table.remove(name)
        }
        todo = plan.inputs.archive.items.filter { doubtful.contains($0.name) }
        todoIndex = 0
    }
}

/// A folder that fills: what is new or has changed, once it has stopped growing.
struct WatchedFolder {
    private var taken: [String: FileStamp] = [:]
    private var candidates: [String: FileStamp] = [:]
    private var lookedMilliseconds = MonotonicClock.nowMilliseconds()
    private var waitMilliseconds: UInt64 = leastMilliseconds

    private static let leastMilliseconds: UInt64 = 5_000
    /// A look may take so much of the time.
    private static let lookShare: UInt64 = 20

    /// What is there and does not grow.
    mutating func begin(_ inputs: Inputs) -> Inputs {
        var inputs = inputs
        let now = WallClock.nowSeconds()
        inputs.archive.keep { $0.stamp?.isSettled(at: now) ?? true }
        for item in inputs.archive.items { taken[item.name] = item.stamp }
        return inputs
    }

    /// Waits a moment.
    /// - Returns: the archive as it is now, where there is something to do; without what still grows.
    mutating func next(_ lookAgain: () throws -> Inputs) throws -> Inputs? {
        StopWatch.sleep(milliseconds: 200)
        let began = MonotonicClock.nowMilliseconds()
        guard began - lookedMilliseconds >= waitMilliseconds else { return nil }
        var inputs = try lookAgain()
        let ended = MonotonicClock.nowMilliseconds()
        (lookedMilliseconds, waitMilliseconds) = (ended, max(Self.leastMilliseconds, Self.lookShare * (ended - began)))
        var seen: [String: FileStamp] = [:], settled: Set<String> = []
        for item in inputs.archive.items {
            guard let stamp = item.stamp, taken[item.name] != stamp else { continue }
            seen[item.name] = stamp
            // The same at two looks, some seconds apart.
            if candidates[item.name] == stamp, stamp.isSettled(at: WallClock.nowSeconds()) { settled.insert(item.name) }
        }
        candidates = seen
        guard !settled.isEmpty else { return nil }
        inputs.archive.keep { item in settled.contains(item.name) }
        for item in inputs.archive.items { taken[item.name] = item.stamp }
        return inputs
    }
}
