import Coordinator
import Foundation
import Imaging
import Numerics
import Platform
import Protocol
import Recipes

/// An archive on its way through a coordinator: CTs are sent as far as the window allows, answers are fetched as they
/// come, and what is fetched leaves the coordinator. Everything that happens is in the journal first, so that the same
/// command goes on wherever it was stopped.
final class ArchiveStream {
    private(set) var plan: SegmentationPlan
    let session: ClusterSession
    let progress: ProgressLine
    var journal: ArchiveJournal
    var table: AnswerTable
    /// Largest first: what is begun last is soon done.
    var todo: [Archive.Item] = []
    var todoIndex = 0
    /// By position in the open run; those without an answer here yet.
    var inFlight: [Int: ArchiveJournal.Sent] = [:]
    /// CTs of the same bytes as one that is in flight.
    var twins: [AnsweredContent: [(Archive.Item, mask: String?)]] = [:]
    /// Appended to the journal and not told to the coordinator yet.
    var unsent: [ItemSubmission] = []
    var run: RunID?
    /// The last output that was seen.
    var sequence: UInt64 = 0
    var sentCount = 0
    var computedCount = 0
    private var lastAppendMilliseconds: UInt64 = 0
    /// What comes next waits for answers.
    private var isWindowFull = false
    var tableBytesAreWhole = false
    let pace = Pace()
    var doneByteCount: UInt64 = 0
    var allByteCount: UInt64 = 0
    private var lastPageMilliseconds = MonotonicClock.nowMilliseconds()
    /// Since when nobody has had the memory for what is left.
    var tooLargeSinceMilliseconds: UInt64?
    /// The archive no longer has what a worker asked for: such items cannot end.
    var hasGivenUp = false
    private var watched: WatchedFolder?
    /// Machines whose answers were asked for once more, since they were set aside.
    var distrusted: Set<String> = []

    /// Items told to the coordinator together, and how long one may wait for others.
    private static let appendCountMax = 32
    private static let appendMilliseconds: UInt64 = 1_000
    /// The report's page is made anew now and then.
    private static let pageMilliseconds: UInt64 = 300_000
    /// A run has at most so many items: a million of them in one would be a million in the coordinator's memory.
    static let runItemsMax = 50_000

    init(_ plan: SegmentationPlan, _ journal: ArchiveJournal, session: ClusterSession, progress: ProgressLine) {
        (self.plan, self.journal, self.session, self.progress) = (plan, journal, session, progress)
        table = AnswerTable(
            plan.guide, rows: journal.rows, hasIdentity: plan.options.keepsIdentity)
    }

    // MARK: - The whole

    func flow() throws {
        var inputs = plan.inputs
        if plan.options.isWatching {
            var folder = WatchedFolder()
            inputs = folder.begin(inputs)
            watched = folder
        }
        try take(inputs)
        try beginTable()
        defer { try? plan.output.settle() }
        do {
            try resume()
            try flowOn()
        } catch {
            // What there is can be looked at, however it ends.
            try? endTable()
            throw error
        }
        try endTable()
    }

    /// Until nothing is left to do.
    func flowOn() throws {
        try goThrough()
        try endRun()
    }

    /// What the archive holds now.
    private func take(_ inputs: Inputs) throws {
        plan.inputs = inputs
        tellOfFilesWithoutObjects()
        for one in inputs.archive.refused {
            try note(AnswerRow(
                name: journal.rowName(one.name, of: one.path), source: one.path, refused: one.message))
        }
        todo = inputs.archive.items.sorted { ($0.stamp?.byteCount ?? 0) > ($1.stamp?.byteCount ?? 0) }
        todoIndex = 0
        allByteCount = doneByteCount + todo.reduce(0) { $0 + ($1.stamp?.byteCount ?? 0) }
    }

    private func goThrough() throws {
        while true {
            try StopWatch.check()
            try session.check()
            let status = try fetchNews()
            try sendWhatFits()
            guard todoIndex == todo.count, inFlight.isEmpty else {
                try waitForNews(status)
                if todoIndex == todo.count, let status { try refuseWhatFitsNowhere(status) }
                continue
            }
            guard plan.options.isWatching else { return }
            try makePage(isDue: true)
            progress.show("\(table.ownRows.count) CTs have their answers; looking for more, until Ctrl-C")
            guard let lookAgain = plan.options.lookAgain, let more = try watched?.next(lookAgain) else { continue }
            more.tell(progress, as: "refused")
            try take(more)
        }
    }

    // MARK: - Sending

    private var inFlightByteCount: UInt64 { inFlight.values.reduce(0) { $0 + Self.weight($1.byteCount) } }

    /// What a CT takes at the coordinator: itself, and room for ballots and masks.
    private static func weight(_ byteCount: UInt64) -> UInt64 { byteCount + byteCount / 16 + 256 << 10 }

    private func sendWhatFits() throws {
        let began = MonotonicClock.nowMilliseconds()
        isWindowFull = false
        var bytes = inFlightByteCount
        while todoIndex < todo.count {
            if let limit = plan.options.limit, sentCount >= limit { todoIndex = todo.count; break }
            let item = todo[todoIndex], weight = Self.weight(item.stamp?.byteCount ?? 0)
            guard inFlight.isEmpty || bytes + weight <= plan.options.windowByteCount,
                sent.count < Self.runItemsMax || inFlight.isEmpty
            else {
                isWindowFull = true
                break
            }
            try StopWatch.check()
            todoIndex += 1
            if try deal(with: item) { bytes += weight }
            if isAppendDue { try append() }
            // Answers wait to be fetched.
            if MonotonicClock.nowMilliseconds() - began > Self.appendMilliseconds { break }
        }
        try append()
    }

    private var sent: [ArchiveJournal.Sent] { journal.sent }

    private var isAppendDue: Bool {
        unsent.count >= Self.appendCountMax
            || MonotonicClock.nowMilliseconds() - lastAppendMilliseconds > Self.appendMilliseconds
    }

    /// - Returns: whether it is in flight now.
    private func deal(with item: Archive.Item) throws -> Bool {
        showProgress("reading \(item.name)")
        let standing: ItemStanding
        do {
            standing = try self.standing(of: item)
        } catch {
            guard let message = PrepareCommand.refusal(error) else { throw error }
            standing = .refused(message)
        }
        switch standing {
        case .done, .known, .refused, .refusedBefore, .otherCT: doneByteCount += item.stamp?.byteCount ?? 0
        default: break
        }
        switch standing {
        case .done:
            table.keep(item.name)
            if let row = journal.rows[item.name], let more = try completed(row, of: item) { try note(more) }
        case .known(let row, let mask): try adopt(row, for: item, mask: mask)
        case .refused(let message), .otherCT(let message): try refuse(item, message)
        case .refusedBefore: table.keep(item.name)
        case .inFlight: break
        case .twin(let content, let mask): twins[content, default: []].append((item, mask))
        case .toSend(let submission, let sent):
            try openRunIfNeeded()
            // Refused before, and asked for again: what comes now is what counts.
            if journal.rows[item.name]?.refused != nil { try journal.drop(item.name) }
            try journal.note(sent)
            inFlight[journal.sent.count - 1] = sent
            unsent.append(submission)
            sentCount += 1
            return true
        }
        return false
    }

    private func append() throws {
        guard !unsent.isEmpty, let run else { return }
        let first = journal.sent.count - unsent.count
        try session.client.append(unsent, to: run, first: first)
        unsent = []
        lastAppendMilliseconds = MonotonicClock.nowMilliseconds()
    }

    /// Its bytes are another CT's that has its answer.
    private func adopt(_ row: AnswerRow, for item: Archive.Item, mask: String?) throws {
        var adopted = row
        (adopted.name, adopted.source, adopted.mask) = (item.name, item.path, mask ?? "made here")
        (adopted.files, adopted.objectSeries, adopted.identity) = ([:], nil, nil)
        if plan.parts == nil { adopted.parts = nil }
        for (from, to) in zip(plan.fileNames(row.name), plan.fileNames(item.name)) {
            guard let file = row.files?[from] else { continue }
            let bytes = try FileSystem.read(plan.output.path(of: from), byteCountMax: 1 << 30)
            if from != to { try plan.output.write(bytes, to: to) }
            adopted.files![to] = AnswerRow.WrittenFile(
                digest: file.digest, stamp: FileStamp(plan.output.path(of: to)))
        }
        adopted = try withoutLeftovers(adopted)
        try note(completed(adopted, of: item) ?? adopted)
        guard item.isRenamed(from: row, in: plan.inputs.archive) else { return }
        try plan.output.remove(plan.allFileNames(row.name))
        try journal.drop(row.name)
        table.remove(row.name)
    }

    private func refuse(_ item: Archive.Item, _ message: String) throws {
        progress.warn("refused: \(message)")
        try note(AnswerRow(name: journal.rowName(item.name, of: item.path), source: item.path, refused: message))
    }

    // MARK: - Answers

    private func fetchNews() throws -> StatusReport.Run? {
        guard let run else { return nil }
        let status = try session.standing(of: run)
        guard status.state != "cancelled" else {
            try end(journal.run!)
            throw CommandError("\(run) was cancelled; what came of it before is in \(plan.output.path)")
        }
        try fetch(of: run)
        try bringWhatIsWanted(of: run)
        return status
    }

    func fetch(of run: RunID) throws {
        let outputs = try session.client.outputs(of: run, after: sequence)
        var collected: [Int] = []
        for output in outputs {
            sequence = max(sequence, output.sequence)
            guard let position = output.item.map({ Int($0) }), journal.sent.indices.contains(position) else { continue }
            if inFlight[position] != nil, output.state == .refused || output.step == plan.guide.step {
                try take(output, at: position)
            }
            if inFlight[position] == nil { collected.append(position) }
            try StopWatch.check()
            // Not all at the end: a thousand may have come at once.
            if collected.count >= 64 { try say(&collected, of: run) }
        }
        try say(&collected, of: run)
    }

    /// That these answers are safe here.
    private func say(_ collected: inout [Int], of run: RunID) throws {
        guard !collected.isEmpty else { return }
        try journal.sync()
        try session.client.collect(collected, of: run)
        collected = []
    }

    private func take(_ output: RunOutput, at position: Int) throws {
        let item = inFlight[position]!
        // Its CT has changed since it was sent: another answer is on its way, or here.
        guard journal.owners[item.name]?.content == item.content else {
            inFlight[position] = nil
            return removeShared(output)
        }
        var row = AnswerRow(name: item.name, source: item.source)
        if output.state == .refused {
            row.refused = output.report
        } else {
            do {
                row = try AnswerCollector(plan: plan, session: session).collect(output, of: item)
            } catch let error as AnswerCollector.UnusableAnswer {
                row.refused = "\(item.source): \(error.problem.printable(most: 600)); find out which worker answered "
                    + "so (quintet status --history), and segment it again without that one"
            }
        }
        if let reason = row.refused {
            (row.byteCount, row.content, row.build) = (item.byteCount, item.content, Version.build)
            (row.worker, row.seconds) = (output.worker, output.seconds)
            progress.warn("refused: \(reason)")
        } else {
            computedCount += 1
            for warning in row.warnings ?? [] { progress.warn("warning: \(item.source): \(warning)") }
        }
        if row.refused == nil { row = try withoutLeftovers(row) }
        row = try completed(row) ?? row
        try conclude(position, with: row)
        removeShared(output)
        try makePage(isDue: false)
    }

    /// An item that was sent has its row now, and so have CTs of the same bytes.
    func conclude(_ position: Int, with row: AnswerRow) throws {
        guard let item = inFlight.removeValue(forKey: position) else { return }
        doneByteCount += item.byteCount
        try note(row)
        try answerTwins(of: item.content, with: row)
    }

    /// What lay on the shared file system for us has its place now.
    private func removeShared(_ output: RunOutput) {
        guard output.isShared else { return }
        for blob in output.outputs {
            try? FileSystem.remove("\(plan.output.path)/\(StreamOptions.answerFolderName)/\(blob.digest)")
        }
    }

    private func answerTwins(of content: AnsweredContent, with row: AnswerRow) throws {
        for (item, mask) in twins.removeValue(forKey: content) ?? [] {
            doneByteCount += item.stamp?.byteCount ?? 0
            guard row.refused == nil else {
                var refused = row
                (refused.name, refused.source, refused.identity) = (item.name, item.path, nil)
                try note(completed(refused, of: item) ?? refused)
                continue
            }
            try adopt(row, for: item, mask: mask)
        }
    }

    // MARK: - Waiting

    private func waitForNews(_ status: StatusReport.Run?) throws {
        guard let run else { return }
        showProgress(status.map { describe($0) } ?? "")
        _ = try session.client.waitForChange(of: run, seconds: todoIndex < todo.count && !isWindowFull ? 0 : 1)
    }

    private func describe(_ status: StatusReport.Run) -> String {
        if let problem = status.problem { return problem }
        if status.isPaused { return "paused" }
        if status.works.leased == 0, status.works.ready > 0 { return "waiting for a worker" }
        return "\(inFlight.count) at the coordinator"
    }

    private func showProgress(_ what: String) {
        var parts = ["\(table.ownCount) of \(todo.count + plan.inputs.archive.refused.count) CTs"]
        if table.ownRefusedCount > 0 { parts.append("\(table.ownRefusedCount) refused") }
        if computedCount > 1, pace.elapsedSeconds > 5 {
            parts.append("\(Int((Double(computedCount) / pace.elapsedSeconds * 3600).rounded())) an hour")
        }
        if allByteCount > 0, let left = pace.secondsLeft(fraction: Double(doneByteCount) / Double(allByteCount)) {
            parts.append("\(Console.duration(seconds: left)) left")
        }
        progress.show((parts + (what.isEmpty ? [] : [what])).joined(separator: ", "))
    }

    // MARK: - Table and page

    /// In the journal, and in the table.
    func note(_ row: AnswerRow) throws {
        try journal.note(row)
        try write(row)
    }

    private func write(_ row: AnswerRow) throws {
        // A CT that had a row has another one now: the table is put right at the end, and the last row counts.
        table.add(row)
        guard tableBytesAreWhole else { return }
        try FileSystem.append(table.line(row) + "\n", to: plan.output.path(of: SegmentationFolder.resultsName))
    }

    private func beginTable() throws {
        let text = table.csv()
        try plan.output.write(text, to: SegmentationFolder.resultsName)
        try journal.noteTable(byteCount: text.utf8.count)
        tableBytesAreWhole = true
    }

    private func endTable() throws {
        try beginTable()
        try makePage(isDue: true)
        // One that is there says what the table says, also when this command was not asked for it.
        if try plan.options.writesDatabase || plan.output.hasOwn(ArchiveDatabase.name) {
            try ArchiveDatabase.write(table, plan)
        }
    }

    private func makePage(isDue: Bool) throws {
        let now = MonotonicClock.nowMilliseconds()
        guard isDue || now - lastPageMilliseconds > Self.pageMilliseconds else { return }
        lastPageMilliseconds = now
        try ArchivePage(table, plan).write()
        if let parts = plan.guide.parts, try plan.parts != nil || plan.output.hasOwn(parts.fileName) {
            try plan.output.write(table.csv(of: parts), to: parts.fileName)
        }
    }
}

/// What is to be done about a CT.
enum ItemStanding {
    /// It has its answer.
    case done
    /// Another CT of the same bytes has.
    case known(AnswerRow, mask: String?)
    case refused(String)
    /// The folder holds the answer of another CT of its name.
    case otherCT(String)
    /// As its row says.
    case refusedBefore
    /// It was sent by an earlier command.
    case inFlight
    case twin(AnsweredContent, mask: String?)
    case toSend(ItemSubmission, ArchiveJournal.Sent)
}
