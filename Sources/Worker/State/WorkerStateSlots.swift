import Protocol

// What overlaps, and how much of it: while one piece of work is computed, the next one is fetched and the last ones are
// uploaded. In order of their assignments a worker has
//
// - at most one piece of work in the compute thread;
// - at most one ahead of it, fetching or waiting its turn. It is asked for (`idle`) as soon as the thread runs a piece
//   of work of minutes and no result waits for its upload: the coordinator then knows what the last result has made
//   possible, and this worker, which still holds the volume, gets that first. Behind a training nothing is asked for,
//   it would wait for hours;
// - results on their way, one upload at a time. Nothing is begun, nor asked for, while `resultsWaitingMax` of them wait
//   or `resultWaitingBytesMax` bytes.
//
// What waits its turn is decoded meanwhile, beside the compute thread, where this worker may keep more than one
// processor busy.
//
// So in memory lie at most that many bytes of results, the one that was made last and a checkpoint; in the cache, and
// kept there, the inputs of two pieces of work. Where both do not fit into it, the next one is fetched when the one
// before has been computed.
extension WorkerState {
    func index(of lease: Lease) -> Int? { works.firstIndex { $0.lease == lease } }

    func work(_ lease: Lease) -> Work? { index(of: lease).map { works[$0] } }

    /// In place; nil where there is no such work.
    @discardableResult
    mutating func change<Result>(_ lease: Lease, _ body: (inout Work) -> Result) -> Result? {
        index(of: lease).map { body(&works[$0]) }
    }

    // MARK: Asking

    /// Whether there is a slot for more, now.
    var wantsMore: Bool {
        guard !hasNext else { return false }
        guard let threadLease else { return hasRoomForAResult }
        guard let work = work(threadLease), work.phase == .computing, !work.isSession else { return false }
        return works.count == 1
    }

    /// Whether an assignment can be taken: it may have been asked for a while ago.
    var canTakeMore: Bool { !hasNext && !works.contains { $0.isSession && $0.isToBeComputed } }

    private var hasNext: Bool { works.contains { $0.phase == .fetching } }

    mutating func askForWork() {
        guard let service = connection.service, drain == nil, now >= restUntil, wantsMore else { return }
        if let untakenBytes { return probeCache(untakenBytes) }
        // Said again after a lease's time, should it have been lost.
        if let saidAt = service.idleSaidAt, now < saidAt + service.leaseMilliseconds { return }
        connection.service?.idleSaidAt = now
        actions.append(.send(.idle, requestID: 0))
    }

    // MARK: Fetching

    /// Whether the cache holds the inputs of this one beside those of the ones before.
    private func fitsIntoCache(_ index: Int) -> Bool {
        let before = works[..<index].filter(\.isToBeComputed)
        guard !before.isEmpty else { return true }
        let bytes = before.reduce(works[index].fetch.wantedBytes) {
            $0.addingReportingOverflow($1.fetch.wantedBytes).partialValue
        }
        return bytes <= settings.cacheBytesMax
    }

    mutating func pumpFetches(isServing: Bool) {
        for index in works.indices where works[index].phase == .fetching && fitsIntoCache(index) {
            actions += works[index].fetch.pump(isServing: isServing, requests: &requests, atMilliseconds: now)
        }
    }

    // MARK: Computing

    var hasRoomForAResult: Bool {
        let waiting = works.filter { $0.phase == .uploading }
        return waiting.count < WorkerLimits.resultsWaitingMax
            && waiting.reduce(0) { $0 + $1.waitingBytes } < WorkerLimits.resultWaitingBytesMax
    }

    mutating func startNext() {
        guard threadLease == nil, hasRoomForAResult,
            let index = works.firstIndex(where: { $0.phase == .fetching && $0.fetch.isComplete })
        else { return }
        works[index].startComputing(atMilliseconds: now)
        threadLease = works[index].lease
        actions.append(.compute(works[index].assignment))
    }

    /// A worker of one thread has no processor left for it.
    mutating func prepareNext() {
        guard settings.threadCount > 1, let threadLease, work(threadLease)?.phase == .computing else { return }
        for index in works.indices where works[index].canBePreparedAhead {
            works[index].isPreparedAhead = true
            actions.append(.prepareAhead(works[index].assignment))
        }
    }

    /// From now on nobody wants what the thread computes.
    mutating func cancelThread(_ lease: Lease) {
        guard threadLease == lease else { return }
        actions.append(.cancelCompute(lease))
        threadLeftAt = threadLeftAt ?? now
    }

    /// When what waits behind a thread that does not end is given back; nil: nothing does.
    var handOnMilliseconds: UInt64? {
        hasNext ? threadLeftAt.map { $0 + WorkerLimits.cancelMilliseconds } : nil
    }

    mutating func handOnWhatWaits() {
        guard let handOnMilliseconds, now >= handOnMilliseconds else { return }
        for work in works where work.phase == .fetching {
            giveBack(work.lease, .drained, "the computation before it does not end")
        }
    }

    // MARK: Uploading

    /// Those whose turn it is: one upload after the other, in the order of the assignments; what has no bytes waits for
    /// none. (Two at once would be late both, and might be of the same blob.)
    var uploadsAtHand: [Int] {
        var isUploading = false
        return works.indices.filter { index in
            guard let upload = works[index].upload else { return false }
            guard upload.payloadBytes > 0 else { return true }
            defer { isUploading = true }
            return !isUploading
        }
    }

    mutating func pumpUploads() {
        for index in uploadsAtHand {
            actions += works[index].pumpUpload(requests: &requests, atMilliseconds: now)
        }
    }
}

extension Work {
    /// What of its result lies in memory.
    var waitingBytes: UInt64 { upload?.payloadBytes ?? 0 }
}
