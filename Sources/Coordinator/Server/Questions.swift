import Platform
import Protocol

/// Answers questions from what is committed, over a connection to the database of its own: no commit holds them up,
/// and they hold up none.
struct Questions {
    let reader: Store
    let build: String

    /// - Parameter problem: what people have to do something about.
    func answer(_ message: Message, _ scheduler: Scheduler, problem: String?, at now: UInt64) -> Message {
        do {
            switch message {
            case .statusRequest(let run, let history):
                if let run, let refusal = refusalOfUnknown(run, scheduler) { return refusal }
                let events = history ? try reader.events(of: run, countMax: Limits.statusEventsMax) : nil
                let maker = maker(scheduler, problem: problem, at: now)
                return .status(json: try maker.json(run: run, events: events))
            case .outputsRequest(let run, let after, let countMax):
                if let refusal = refusalOfUnknown(run, scheduler) { return refusal }
                let count = min(Int(countMax), Limits.runOutputsMax)
                var (outputs, more) = try reader.outputs(of: run, after: after, countMax: count)
                let fitting = try MessageCoding.countOfOutputsThatFit(outputs)
                if fitting < outputs.count { (outputs, more) = (Array(outputs.prefix(fitting)), true) }
                return .outputs(outputs, moreFollow: more)
            case .metricsRequest(let run, let step, let replica, let firstIteration):
                if let refusal = refusalOfUnknown(run, scheduler) { return refusal }
                let (figures, more) = try reader.figures(
                    of: run, step: step, replica: Int(replica), firstIteration: firstIteration,
                    countMax: Limits.metricsMax)
                return .metrics(figures, moreFollow: more)
            default: preconditionFailure("\(message.brief) is not a question")
            }
        } catch {
            return .refusal(Refusal(code: .internalError, message: Texts.bounded("coordinator: \(error)")))
        }
    }

    /// What there is to tell of everything.
    func report(_ scheduler: Scheduler, problem: String?, at now: UInt64) throws -> StatusReport {
        try maker(scheduler, problem: problem, at: now).report(run: nil, events: nil)
    }

    private func maker(_ scheduler: Scheduler, problem: String?, at now: UInt64) -> StatusMaker {
        var maker = StatusMaker(scheduler: scheduler, nowMilliseconds: Int64(now), build: build)
        maker.problem = problem
        maker.facts = reader.facts
        maker.archived = reader.archived
        return maker
    }

    private func refusalOfUnknown(_ run: RunID, _ scheduler: Scheduler) -> Message? {
        guard scheduler.runs[run] == nil, scheduler.archived[run] == nil else { return nil }
        return .refusal(Refusal(code: .unknown, message: "there is no \(run); `quintet status` lists the runs"))
    }
}
