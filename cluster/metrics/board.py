#!/usr/bin/env python3
"""Writes the Grafana board, cluster/metrics/grafana.json, from the list of its panels; import the file in Grafana."""
import json
import pathlib

PANELS = [  # title, unit, (legend, query) ...
    ("Workers", "short", ("{{state}}", "quintet_workers"), ("of use", "quintet_workers_of_use")),
    ("Work", "short", ("{{state}}", 'quintet_work{state!="done"}')),
    ("Iterations a second", "short", ("run {{run}}", "quintet_run_iterations_per_second")),
    ("Volumes a second", "short", ("run {{run}}", "quintet_run_volumes_per_second")),
    ("Done", "percentunit", ("run {{run}} {{kind}}", "quintet_run_done_ratio")),
    ("Time left", "s", ("run {{run}}", "quintet_run_left_seconds")),
    ("Loss", "short", ("run {{run}} replica {{replica}}", 'quintet_replica_figure{figure="loss"}')),
    ("Iterations that are not safe yet", "short",
     ("run {{run}} replica {{replica}}", "quintet_replica_iterations - quintet_replica_safe_iterations")),
    ("Leases that ended without a result, an hour", "short",
     ("{{outcome}}", "increase(quintet_lease_ends_total[1h])")),
    ("Refusals and rejections an hour", "short", ("{{code}}", "increase(quintet_refusals_total[1h])"),
     ("turned away", "increase(quintet_rejected_connections_total[1h])")),
    ("Network", "Bps", ("received", "rate(quintet_received_bytes_total[5m])"),
     ("sent", "rate(quintet_sent_bytes_total[5m])")),
    ("Free on the state's disk", "bytes", ("free", "quintet_state_free_bytes")),
    ("The loop", "s", ("longest turn", "quintet_loop_longest_turn_seconds"),
     ("busy, of each second", "rate(quintet_loop_busy_seconds_total[5m])")),
    ("A commit", "s", ("mean", "rate(quintet_commit_seconds_total[5m]) / rate(quintet_commits_total[5m])")),
    ("Memory of the coordinator", "bytes", ("resident", "quintet_resident_bytes")),
    ("Connections", "short", ("open", "quintet_connections")),
]


def panel(index, title, unit, *queries):
    source = {"type": "prometheus", "uid": "${source}"}
    return {
        "id": index + 1, "type": "timeseries", "title": title, "datasource": source,
        "gridPos": {"h": 8, "w": 12, "x": 12 * (index % 2), "y": 8 * (index // 2)},
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "datasource": source, "expr": query, "legendFormat": legend}
            for number, (legend, query) in enumerate(queries)
        ],
    }


def main():
    board = {
        "title": "Quintet", "uid": "quintet", "schemaVersion": 38, "refresh": "30s",
        "time": {"from": "now-12h", "to": "now"},
        "templating": {"list": [{"name": "source", "type": "datasource", "query": "prometheus"}]},
        "panels": [panel(index, *one) for index, one in enumerate(PANELS)],
    }
    path = pathlib.Path(__file__).with_name("grafana.json")
    path.write_text(json.dumps(board, indent=1) + "\n")


if __name__ == "__main__":
    main()
