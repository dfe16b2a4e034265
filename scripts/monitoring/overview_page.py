"""The dashboard that tells whether people get their advice, and whether the nodes are well."""

from monitoring.dashboard import Dashboard, Panel, Row
from monitoring.thresholds import thresholds

#: Share of analyses that may fail.
_BUDGET = round(1 - thresholds()["success"], 6)

_RED_ABOVE_0 = ((None, "green"), (1.0, "red"))

PAGE = Dashboard(
    "overview",
    "Growbin · overview",
    (
        Row("What people see", (
            Panel(
                "Analyses that succeed", "Share of the last hour's analyses that have their advice. Objective: 99.5 %.",
                "percentunit", (("1 - growbin:analyses_failed:ratio_rate1h", "succeed"),), "stat", 6, 4,
                ((None, "red"), (0.99, "orange"), (0.995, "green")),
            ),
            Panel(
                "Analyses within 60 s", "Share of the last hour's advice that came within 60 s. Objective: 95 %.",
                "percentunit", (("1 - growbin:analyses_slow:ratio_rate1h", "fast"),), "stat", 6, 4,
                ((None, "red"), (0.9, "orange"), (0.95, "green")),
            ),
            Panel(
                "Errors left, 3 days", "What is left of the errors that the objective of success allows, at the rate "
                "of the last three days. Below 0 the month will not keep it.",
                "percentunit", ((f"1 - growbin:analyses_failed:ratio_rate3d / {_BUDGET}", "left"),), "stat", 6, 4,
                ((None, "red"), (0.0, "orange"), (0.25, "green")),
            ),
            Panel(
                "Alerts", "Alerts that fire now.", "short",
                (('count(ALERTS{alertname=~"Growbin.*", alertstate="firing"}) or vector(0)', "firing"),), "stat", 6, 4,
                _RED_ABOVE_0,
            ),
            Panel(
                "Analyses", "Analyses that come to an end, a second.", "reqps",
                (("sum by (status) (rate(growbin_analyses_total[$__rate_interval]))", "{{status}}"),), stacked=True,
            ),
            Panel(
                "Time to advice", "From the row of an analysis to its advice; the objective is 60 s for 95 %.", "s",
                tuple(
                    (
                        f"histogram_quantile({share}, sum by (le) "
                        "(rate(growbin_analysis_duration_seconds_bucket[$__rate_interval])))",
                        f"{share:.0%}",
                    )
                    for share in (0.5, 0.95, 0.99)
                ),
                steps=((None, "green"), (60.0, "red")),
            ),
        )),
        Row("Nodes", (
            Panel(
                "Nodes", "Nodes with living workers, by group.", "short",
                (("max by (group) (growbin_nodes)", "{{group}}"),), width=8,
            ),
            Panel(
                "Busy slots", "Share of threads and greenlets that run a message. Pods are added above 70 %.",
                "percentunit",
                (('sum by (group) (growbin_worker_slots{worker=~"$worker", state="busy"}) / '
                  'sum by (group) (growbin_worker_slots{worker=~"$worker"})', "{{group}}"),),
                width=8, steps=((None, "green"), (0.7, "orange")),
            ),
            Panel(
                "Health checks that fail", "Failing checks of /livez and /readyz, by node.", "short",
                (('(1 - min by (worker, check) (growbin_health_check{worker=~"$worker"})) > 0',
                  "{{worker}} {{check}}"),),
                width=8,
            ),
            Panel(
                "Versions", "What runs. Two only during a rollout.", "short",
                (("count by (version, python, dramatiq) (growbin_build_info)", "{{version}}"),), "table", 8, 6,
            ),
            Panel(
                "Crashes", "Tasks that ran when their process died; they run again.", "short",
                (('sum by (worker) (increase(growbin_task_crashes_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{worker}}"),), width=8, height=6,
            ),
            Panel(
                "Nodes gone with rows", "Nodes without living workers that left something in their journals.", "short",
                (("max(growbin_nodes_gone_with_rows)", "nodes"),), "stat", 8, 6, _RED_ABOVE_0,
            ),
        )),
        Row("Journals and disks", (
            Panel(
                "Journal behind the database", "Age of the oldest row that the database has not got.", "s",
                (('wal_sync_delay_seconds{worker=~"$worker"}', "{{worker}}"),), width=8,
                steps=((None, "green"), (300.0, "red")),
            ),
            Panel(
                "Messages not handed over", "Messages of the outbox that the broker has not confirmed.", "short",
                (('growbin_outbox_messages{worker=~"$worker"}', "{{worker}}"),), width=8,
            ),
            Panel(
                "Free disk", "Free on the disk of the journal, above what must stay free.", "bytes",
                (('growbin_disk_free_bytes{worker=~"$worker"} - growbin_disk_floor_bytes{worker=~"$worker"}',
                  "{{worker}}"),), width=8,
            ),
            Panel(
                "Size of journals", "Database file and write-ahead log.", "bytes",
                (('sum by (worker, file) (growbin_journal_size_bytes{worker=~"$worker"})', "{{worker}} {{file}}"),),
                width=8,
            ),
            Panel(
                "Rows copied", "Journal rows copied to the central database, a second.", "rowsps",
                (('sum by (worker) (rate(growbin_journal_synced_rows_total{worker=~"$worker"}[$__rate_interval]))',
                  "{{worker}}"),), width=8,
            ),
            Panel(
                "Broker connections lost", "Connections to RabbitMQ that were lost, or could not be opened.", "short",
                (('sum by (worker) (increase(growbin_broker_connections_lost_total{worker=~"$worker"}'
                  "[$__rate_interval]))", "{{worker}} lost"),
                 ('sum by (worker) (increase(growbin_broker_connection_failures_total{worker=~"$worker"}'
                  "[$__rate_interval]))", "{{worker}} failed")), width=8,
            ),
        )),
    ),
)  # fmt: skip
