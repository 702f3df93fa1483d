import Protocol

// Who gets what.

extension Scheduler {
    mutating func assignReadyWork(at nowMilliseconds: Int64) {
        guard !activeRuns.isEmpty else { return }
        for name in idle {
            guard let work = choose(for: name, at: nowMilliseconds) else { continue }
            grant(work, to: name, at: nowMilliseconds)
        }
    }

    /// The next piece of work for an idle worker, in the order that the scheduler's comment states.
    private func choose(for name: WorkerName, at nowMilliseconds: Int64) -> WorkID? {
        for run in activeRuns {
            let own = runs[run]!.readyFinish.first {
                predictor(of: $0) == name && !isAvoided($0, by: name, at: nowMilliseconds)
            }
            if let own { return own }
        }
        for run in activeRuns {
            let finish = runs[run]!.readyFinish.first {
                !isAvoided($0, by: name, at: nowMilliseconds) && !isReserved($0, at: nowMilliseconds)
            }
            if let finish { return finish }
            if let other = runs[run]!.ready.first(where: { !isAvoided($0, by: name, at: nowMilliseconds) }) {
                return other
            }
        }
        return nil
    }

    private func predictor(of finish: WorkID) -> WorkerName? { works[works[finish]!.partner]!.doneBy }

    /// Whether a finish still waits for the worker that holds its prepared volume.
    private func isReserved(_ finish: WorkID, at nowMilliseconds: Int64) -> Bool {
        guard let predictor = predictor(of: finish), workers[predictor]?.isConnected == true else { return false }
        if isAvoided(finish, by: predictor, at: nowMilliseconds) { return false }
        return nowMilliseconds < works[finish]!.readySinceMilliseconds + configuration.preferenceMilliseconds
    }

    private func isAvoided(_ work: WorkID, by name: WorkerName, at nowMilliseconds: Int64) -> Bool {
        guard let until = works[work]!.avoided[name] else { return false }
        return nowMilliseconds < until
    }

    private mutating func grant(_ id: WorkID, to name: WorkerName, at nowMilliseconds: Int64) {
        leave(id)
        let epoch = works[id]!.epoch + 1
        works[id]!.state = .leased
        works[id]!.epoch = epoch
        works[id]!.lease = LeaseRecord(
            worker: name, epoch: epoch, grantedMilliseconds: nowMilliseconds,
            expiresMilliseconds: nowMilliseconds + configuration.leaseMilliseconds)
        leased.insertSorted(id)
        workers[name]!.isIdle = false
        idle.removeAll { $0 == name }
        let run = works[id]!.run
        if runs[run]!.begunMilliseconds == nil { runs[run]!.begunMilliseconds = nowMilliseconds }
        actions.append(.persist(.leaseGranted(Lease(work: id, epoch: epoch), name)))
        sendAssignment(id, to: name)
    }

    mutating func sendAssignment(_ id: WorkID, to name: WorkerName) {
        let work = works[id]!
        let lease = Lease(work: id, epoch: work.epoch)
        let assignment = Assignment(
            lease: lease, description: describe(work), resume: work.checkpoint,
            checkpointSeconds: runs[work.run]!.request.checkpointSeconds)
        actions.append(.send(.assignment(assignment), to: name))
    }

    /// The description that determines a work's result; its inputs are all there.
    package func describe(_ work: WorkRecord) -> WorkDescription {
        let run = runs[work.run]!
        var inputs: [BlobReference]
        switch work.stage {
        case .train: inputs = run.request.inputs
        case .calibrate:
            inputs = run.request.inputs
            for replica in run.works.prefix(run.request.replicaCount) {
                var weights = works[replica]!.weights
                weights.role = "replica"
                inputs.append(weights)
            }
        case .predict: inputs = run.request.inputs + run.request.volumes[work.index].inputs
        case .finish:
            inputs = run.request.volumes[work.index].inputs
            inputs.append(work.voted!)
            inputs += works[work.partner]!.votes
        }
        return WorkDescription(
            run: work.run, recipe: run.request.recipe, stage: work.stage,
            replica: work.stage == .train ? UInt16(work.index) : 0, seed: run.request.seed,
            parameters: run.request.parameters, inputs: inputs)
    }
}

extension WorkRecord {
    /// A trained replica's file.
    var weights: BlobReference { outputs.first { $0.role == "replica" } ?? outputs[0] }

    /// A predicted volume's votes, in replica order.
    var votes: [BlobReference] { outputs.filter { $0.role == "votes" } }
}
