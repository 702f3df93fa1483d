import Protocol

/// What a client asks for: a submission with its list of volumes read from the manifest.
package struct RunRequest: Hashable, Sendable {
    package var kind: RunKind
    package var recipe: String
    package var parameters: String
    package var seed: UInt64
    /// train: how many replicas. segment: how many voters the ensemble has.
    package var replicaCount: Int
    package var iterationCount: UInt32
    package var checkpointSeconds: UInt32
    package var inputs: [BlobReference]
    /// segment only.
    package var volumes: [VolumeSubmission]
    package var idempotencyKey: String
    /// What people call it, and who submitted it.
    package var label: String
    package var submitter: String
    /// What a step needs; 0: not known.
    package var memoryByteCount: UInt64

    package init(
        kind: RunKind, recipe: String, parameters: String, seed: UInt64, replicaCount: Int, iterationCount: UInt32,
        checkpointSeconds: UInt32, inputs: [BlobReference], volumes: [VolumeSubmission], idempotencyKey: String,
        label: String = "", submitter: String = "", memoryByteCount: UInt64 = 0
    ) {
        self.kind = kind
        self.recipe = recipe
        self.parameters = parameters
        self.seed = seed
        self.replicaCount = replicaCount
        self.iterationCount = iterationCount
        self.checkpointSeconds = checkpointSeconds
        self.inputs = inputs
        self.volumes = volumes
        self.idempotencyKey = idempotencyKey
        self.label = label
        self.submitter = submitter
        self.memoryByteCount = memoryByteCount
    }

    /// Whether both ask for the same result. What changes no byte of it is left out.
    package func asksForTheSame(as other: RunRequest) -> Bool {
        var copy = other
        copy.checkpointSeconds = checkpointSeconds
        copy.label = label
        copy.submitter = submitter
        copy.memoryByteCount = memoryByteCount
        return self == copy
    }

    /// How many pieces of work it becomes: each replica and the calibration; or two for each volume.
    package var workCount: Int {
        switch kind {
        case .train: return replicaCount + 1
        case .segment: return 2 * volumes.count
        }
    }
}

/// Where a run stands.
package enum RunState: String, Hashable, Sendable {
    /// Some of its work is neither done nor refused.
    case running
    /// Everything is done or refused; `RunRecord.refusedCount` says how much was refused.
    case ended
    /// Its owner cancelled it; what was done before stays.
    case cancelled
}

/// A run as the scheduler knows it. Its works have consecutive numbers from `firstWork` on: the replicas in order and
/// then the calibration, or predict and finish in turn for each volume.
package struct RunRecord: Sendable {
    package let id: RunID
    package let request: RunRequest
    package let firstWork: WorkID
    package var state: RunState = .running
    /// It gets no new leases.
    package var isPaused = false
    /// Higher goes first.
    package var priority: Int32 = 0
    /// Works that are neither done, refused nor cancelled.
    package var remainingCount: Int
    /// Works that can be leased now, in order of their numbers; those of stage finish apart, because they go first.
    package var ready: [WorkID] = []
    package var readyFinish: [WorkID] = []
    /// When its first lease was granted, and how many works of stage finish have ended since, for the rate.
    package var begunMilliseconds: Int64?
    package var concludedCount = 0
    /// Milliseconds that the latest works took, by stage; of training each iteration.
    package var paces: [WorkStage: [Double]] = [:]
    /// Milliseconds from the latest leases on replicas to their first steps.
    package var starts: [Double] = []

    package init(id: RunID, request: RunRequest, firstWork: WorkID) {
        self.id = id
        self.request = request
        self.firstWork = firstWork
        self.remainingCount = request.workCount
    }

    package var works: [WorkID] {
        (0..<UInt64(request.workCount)).map { WorkID(firstWork.value + $0) }
    }

    package var calibration: WorkID { WorkID(firstWork.value + UInt64(request.replicaCount)) }

    mutating func insertReady(_ work: WorkID, stage: WorkStage) {
        if stage == .finish { readyFinish.insertSorted(work) } else { ready.insertSorted(work) }
    }

    mutating func removeReady(_ work: WorkID, stage: WorkStage) {
        if stage == .finish { readyFinish.removeSorted(work) } else { ready.removeSorted(work) }
    }
}

extension Array where Element: Comparable {
    /// Index of the first element that is not less than `element`.
    func sortedIndex(of element: Element) -> Int {
        var low = 0
        var high = count
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Keeps an ascending array ascending; an element that is there already stays there once.
    mutating func insertSorted(_ element: Element) {
        let index = sortedIndex(of: element)
        if index == count || self[index] != element { insert(element, at: index) }
    }

    mutating func removeSorted(_ element: Element) {
        let index = sortedIndex(of: element)
        if index < count && self[index] == element { remove(at: index) }
    }
}
