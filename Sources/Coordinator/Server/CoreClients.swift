import Platform
import Protocol

// What clients ask for.

extension CoordinatorCore {
    mutating func receive(
        _ message: Message, _ requestID: UInt32, fromClient connection: ConnectionID, at now: UInt64
    ) {
        guard mayAsk(message, requestID, connection) else { return }
        switch message {
        case .submit(let submission): submit(submission, requestID, connection, at: now)
        case .appendItems(let run, let first, let manifest):
            append(manifest, to: run, from: Int(first), requestID, connection, at: now)
        case .closeItems(let run): apply(.closeItems(run), connection, requestID, at: now)
        case .collected(let run, let items):
            apply(.collect(run, items: items.map { Int($0) }), connection, requestID, at: now)
        case .wantedRequest(let run): answerWanted(of: run, requestID, connection)
        case .cancel(let run): apply(.cancel(run), connection, requestID, at: now)
        case .forget(let run): apply(.forget(run), connection, requestID, at: now)
        case .pause(let run): apply(.pause(run), connection, requestID, at: now)
        case .resume(let run): apply(.resume(run), connection, requestID, at: now)
        case .prioritise(let run, let priority): apply(.prioritise(run, priority), connection, requestID, at: now)
        case .readmit(let machine): apply(.readmit(machine), connection, requestID, at: now)
        case .drain(let worker): apply(.drain(worker), connection, requestID, at: now)
        case .watch(let run): watch(run, requestID, connection)
        case .follow: follow(requestID, connection)
        case .standbyHas(let number): standbyHas(number, requestID, connection)
        case .statusRequest, .outputsRequest, .metricsRequest:
            let question = Outgoing.read(message, requestID: requestID, from: connection)
            // After what was decided before, so that no answer knows half of it. A full disk keeps nobody waiting.
            let isEarly = isWaitingForRoom && question.mayBeAnsweredEarly(settings.needsStandby)
            if isEarly { turn.atOnce.append(question) } else { turn.outgoing.append(question) }
        default: refuse(.notAllowed, "a client does not say this", requestID, connection)
        }
    }

    private mutating func mayAsk(_ message: Message, _ requestID: UInt32, _ connection: ConnectionID) -> Bool {
        guard message.isQuestion else { return true }
        peers[connection]!.openQuestionCount += 1
        guard peers[connection]!.openQuestionCount > Limits.openQuestionsMax else { return true }
        refuse(.limit, "more than \(Limits.openQuestionsMax) questions at a time", requestID, connection)
        hangUp(connection, "it asks on and on without taking the answers")
        return false
    }

    private mutating func submit(
        _ submission: Submission, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) {
        // What waits for room on the disk must not grow by whole archives meanwhile.
        if isWaitingForRoom, let problem { return refuse(.diskFull, problem, requestID, connection) }
        var items: [ItemSubmission] = []
        guard hasBlobs(submission.inputs, requestID, connection) else { return }
        if let manifest = submission.itemManifest {
            guard let listed = readItems(manifest, requestID, connection) else { return }
            items = listed
        }
        let request = RunRequest(
            plan: submission.plan, recipe: submission.recipe, parameters: submission.parameters,
            seed: submission.seed, replicaCount: Int(submission.replicaCount),
            checkpointSeconds: submission.checkpointSeconds, inputs: submission.inputs, items: items,
            idempotencyKey: submission.idempotencyKey,
            label: submission.label, submitter: submission.submitter, memoryByteCount: submission.memoryByteCount,
            isOpen: submission.isOpen, verifyShare: submission.verifyShare, answerFolder: submission.answerFolder)
        guard revive(request.idempotencyKey, requestID, connection, at: now) else { return }
        apply(.submit(request), connection, requestID, at: now)
    }

    /// What was submitted before and has ended is needed whole again: to compare, and to try again what was refused.
    /// - Returns: false where the request is refused.
    private mutating func revive(
        _ key: String, _ requestID: UInt32, _ connection: ConnectionID, at now: UInt64
    ) -> Bool {
        guard let run = scheduler.archivedRun(submittedAs: key) else { return true }
        do {
            if let recovered = try archive.recover(run) { apply(.revive(recovered), at: now) }
            return true
        } catch {
            refuse(.internalError, "coordinator: \(error)", requestID, connection)
            return false
        }
    }

    private mutating func append(
        _ manifest: BlobReference, to run: RunID, from first: Int, _ requestID: UInt32, _ connection: ConnectionID,
        at now: UInt64
    ) {
        if isWaitingForRoom, let problem { return refuse(.diskFull, problem, requestID, connection) }
        guard let items = readItems(manifest, requestID, connection) else { return }
        apply(.appendItems(run, first: first, items), connection, requestID, at: now)
    }

    /// The items that a manifest lists, all of whose blobs are here; nil where the request is refused.
    private mutating func readItems(
        _ manifest: BlobReference, _ requestID: UInt32, _ connection: ConnectionID
    ) -> [ItemSubmission]? {
        guard hasBlobs([manifest], requestID, connection) else { return nil }
        do {
            guard manifest.byteCount <= UInt64(Limits.manifestBytesMax) else {
                throw CoordinatorError("it has \(manifest.byteCount) bytes, at most \(Limits.manifestBytesMax)")
            }
            let items = try ItemManifest.decode(try shelf.read(manifest.digest, byteCount: Int(manifest.byteCount)))
            // What a shared file system has is asked for when somebody needs it.
            let uploaded = items.flatMap { $0.paths.isEmpty ? $0.inputs : [] }
            return hasBlobs(uploaded, requestID, connection) ? items : nil
        } catch {
            refuse(.malformed, "the list of items cannot be read: \(error)", requestID, connection)
            return nil
        }
    }
}

extension Message {
    /// Costs the coordinator more than a moment: reads the store or many files. Counts until its answer has left.
    var isQuestion: Bool {
        switch self {
        case .submit, .appendItems, .statusRequest, .outputsRequest, .metricsRequest: return true
        default: return false
        }
    }
}
