/// What a shell knows of itself beside what it decides.
struct ShellFigures {
    var connectionCount = 0
    var receivedByteCount: UInt64 = 0
    var sentByteCount: UInt64 = 0
    /// Connections that were turned away before they had said hello.
    var rejectedCount = 0
    /// Refusals that peers were told, by their code.
    var refusals: [String: Int] = [:]
    var turnsInFlightCount = 0
    var commitCount = 0
    var commitSeconds = 0.0
    var load = LoopLoad()
    /// Nil where the system does not say.
    var freeByteCount: UInt64?
    var residentByteCount: UInt64 = 0
    var openDescriptorCount = 0
    var ageSeconds: Double?
}

/// The page at `/metrics`. Names of patients' files are not on it: runs have numbers, replicas too.
struct MetricsPage {
    let status: StatusReport
    let committed: CommittedCounts
    let shell: ShellFigures

    var text: String {
        var page = PrometheusText()
        addWorkers(to: &page)
        addWork(to: &page)
        addRuns(to: &page)
        addReplicas(to: &page)
        addCommitted(to: &page)
        addShell(to: &page)
        return page.page
    }

    private func addWorkers(to page: inout PrometheusText) {
        page.add("quintet_build_info", .gauge, "The coordinator's version.", [([("version", status.build)], 1)])
        page.add(
            "quintet_problem", .gauge, "1 while people have to do something: `quintet status` says what.",
            status.problem == nil ? 0 : 1)
        let connected = status.workers.filter(\.isConnected)
        let leaving = connected.filter(\.isLeaving).count
        let computing = connected.filter { !$0.isLeaving && $0.work != nil }.count
        page.add(
            "quintet_workers", .gauge, "Connected workers, by what they do.",
            [("computing", computing), ("idle", connected.count - computing - leaving), ("leaving", leaving)]
                .map { ([("state", $0.0)], Double($0.1)) })
        page.add(
            "quintet_workers_of_use", .gauge, "Workers that could compute now, those that do included.",
            Double(status.workersOfUse))
        page.add(
            "quintet_machines_set_aside", .gauge, "Machines that got other bytes than two others and get no work.",
            Double(status.setAside?.count ?? 0))
        page.add(
            "quintet_worker_builds", .gauge, "Connected workers, by version.",
            Dictionary(grouping: connected, by: \.build).sorted { $0.key < $1.key }
                .map { ([("version", $0.key)], Double($0.value.count)) })
        page.add(
            "quintet_longest_silence_seconds", .gauge, "Of the connected worker that was heard longest ago.",
            connected.map(\.silentSeconds).max())
    }

    private var running: [StatusReport.Run] { status.runs.filter { $0.state == "running" } }

    private func addWork(to page: inout PrometheusText) {
        func sum(_ count: KeyPath<StatusReport.Works, Int>) -> Double {
            Double(running.reduce(0) { $0 + $1.works[keyPath: count] })
        }
        page.add(
            "quintet_work", .gauge, "Pieces of work of the runs that go on, by state.",
            [
                ("waiting", sum(\.waiting)), ("ready", sum(\.ready)), ("leased", sum(\.leased)), ("done", sum(\.done)),
                ("refused", sum(\.refused)),
            ].map { ([("state", $0.0)], $0.1) })
        page.add(
            "quintet_runs", .gauge, "Runs that go on.",
            [("running", running.filter { !$0.isPaused }), ("paused", running.filter(\.isPaused))]
                .map { ([("state", $0.0)], Double($0.1.count)) })
    }

    private func addRuns(to page: inout PrometheusText) {
        func labels(_ run: StatusReport.Run) -> [(String, String)] {
            [("run", "\(run.id)"), ("kind", run.kind), ("recipe", run.recipe)]
        }
        func add(_ name: String, _ help: String, _ value: (StatusReport.Run) -> Double?) {
            page.add(name, .gauge, help, running.compactMap { run in value(run).map { (labels(run), $0) } })
        }
        add("quintet_run_done_ratio", "Share of a run that is done.") { $0.fraction }
        add("quintet_run_left_seconds", "Until a run's end, at its present rate.") { $0.secondsLeft }
        add("quintet_run_iterations_per_second", "Of all replicas of a run together.") { $0.iterationsPerSecond }
        add("quintet_run_volumes_per_second", "Volumes of an archive that get their answer.") { $0.volumesPerSecond }
        add("quintet_run_refused", "Replicas or volumes of a run that were refused.") { Double($0.refusedCount) }
        add("quintet_run_problem", "1 where a run does not go on before people do something.") {
            $0.problem == nil ? 0 : 1
        }
    }

    private func addReplicas(to page: inout PrometheusText) {
        let replicas = running.flatMap { run in (run.replicas ?? []).map { (run, $0) } }
        func labels(_ run: StatusReport.Run, _ replica: StatusReport.Replica) -> [(String, String)] {
            [("run", "\(run.id)"), ("step", replica.step), ("replica", "\(replica.replica)")]
        }
        page.add(
            "quintet_replica_iterations", .gauge, "Iterations of a replica, as far as its worker has said.",
            replicas.map { (labels($0, $1), Double($1.iteration)) })
        page.add(
            "quintet_replica_safe_iterations", .gauge, "Iterations of a replica that are safe in a checkpoint.",
            replicas.map { (labels($0, $1), Double($1.checkpointIteration)) })
        page.add(
            "quintet_replica_figure", .gauge, "A replica's latest figures: loss, dice.",
            replicas.flatMap { run, replica in
                (replica.figures ?? [:]).sorted { $0.key < $1.key }
                    .map { (labels(run, replica) + [("figure", $0.key)], $0.value) }
            })
    }

    private func addCommitted(to page: inout PrometheusText) {
        func add(_ name: String, _ help: String, _ count: Int) { page.add(name, .counter, help, Double(count)) }
        add("quintet_leases_total", "Leases that were granted, backups included.", committed.leases)
        add("quintet_backups_total", "Second leases beside a slow first one.", committed.backups)
        add("quintet_results_total", "Results that were kept.", committed.results)
        add("quintet_checkpoints_total", "Checkpoints that were kept.", committed.checkpoints)
        add("quintet_refused_work_total", "Pieces of work that were given up.", committed.refusedWorks)
        add("quintet_stale_messages_total", "Messages under a lease that did not count.", committed.staleMessages)
        add("quintet_differences_total", "Results that another machine got otherwise.", committed.differences)
        page.add(
            "quintet_lease_ends_total", .counter, "Leases that ended without a result, by how.",
            LeaseEnd.allWords.map { ([("outcome", $0)], Double(committed.leaseEnds[$0] ?? 0)) })
    }

    private func addShell(to page: inout PrometheusText) {
        page.add("quintet_connections", .gauge, "Connections that are open.", Double(shell.connectionCount))
        page.add("quintet_received_bytes_total", .counter, "From peers.", Double(shell.receivedByteCount))
        page.add("quintet_sent_bytes_total", .counter, "To peers.", Double(shell.sentByteCount))
        page.add(
            "quintet_rejected_connections_total", .counter, "Peers turned away: no token, too many, foreign.",
            Double(shell.rejectedCount))
        page.add(
            "quintet_refusals_total", .counter, "Requests that were refused, by why.",
            shell.refusals.sorted { $0.key < $1.key }.map { ([("code", $0.key)], Double($0.value)) })
        page.add(
            "quintet_turns_in_flight", .gauge, "Decisions that the disk has not taken yet.",
            Double(shell.turnsInFlightCount))
        page.add("quintet_commits_total", .counter, "Transactions.", Double(shell.commitCount))
        page.add("quintet_commit_seconds_total", .counter, "Time that they took.", shell.commitSeconds)
        page.add("quintet_turns_total", .counter, "Rounds of the loop.", Double(shell.load.turnCount))
        page.add(
            "quintet_loop_busy_seconds_total", .counter, "Time that the loop did not wait.", shell.load.busySeconds)
        page.add(
            "quintet_loop_longest_turn_seconds", .gauge, "The longest round of the last minutes.",
            shell.load.longestSeconds)
        page.add(
            "quintet_state_free_bytes", .gauge, "Free on the disk of the state folder.",
            shell.freeByteCount.map { Double($0) })
        page.add("quintet_resident_bytes", .gauge, "Memory of this process.", Double(shell.residentByteCount))
        page.add("quintet_open_descriptors", .gauge, "Of this process.", Double(shell.openDescriptorCount))
        page.add("quintet_age_seconds", .gauge, "Of this process.", shell.ageSeconds)
    }
}
