"""The catalogue's rows that are read when somebody asks: of a node, and of the cluster."""

from __future__ import annotations

from typing import Final

from growbin_jobs.metrics.metric import row

#: Checks of a node's health.
CHECKS: Final = ("workers", "threads", "hub", "time_limit", "consumers", "journal", "disk")

# --- a node, now

BUILD: Final = row(
    "growbin_build_info", "gauge", "version python dramatiq", "node", "Always 1; its labels say what runs.",
)  # fmt: skip
PROCESSES: Final = row(
    "growbin_worker_processes", "gauge", "group", "node", "Worker processes that live.",
)  # fmt: skip
SLOTS: Final = row(
    "growbin_worker_slots", "gauge", "group state", "node",
    "Threads or greenlets that can run a message, by whether they do.", state=("busy", "free"),
)  # fmt: skip
HEALTH: Final = row(
    "growbin_health_check", "gauge", "check", "node", "1 where a check of /livez or /readyz passes, else 0.",
    check=CHECKS,
)  # fmt: skip
WAL_PENDING: Final = row(
    "wal_pending_tasks", "gauge", "", "node", "Messages of producers that this node still has to hand to the broker.",
)  # fmt: skip
WAL_DELAY: Final = row(
    "wal_sync_delay_seconds", "gauge", "", "node",
    "Age of the oldest journal row that the central database has not got; 0 where it has all.", "seconds",
)  # fmt: skip
UNSYNCED: Final = row(
    "growbin_journal_unsynced_rows", "gauge", "", "node", "Journal rows that the central database has not got.",
)  # fmt: skip
JOURNAL_TASKS: Final = row(
    "growbin_journal_tasks", "gauge", "state", "node", "Tasks in the node's journal.",
    state=("pending", "running", "completed", "failed", "dead"),
)  # fmt: skip
JOURNAL_BYTES: Final = row(
    "growbin_journal_size_bytes", "gauge", "file", "node", "Size of the journal's files.", "bytes",
    file=("database", "wal"),
)  # fmt: skip
JOURNAL_WRITABLE: Final = row(
    "growbin_journal_writable", "gauge", "", "node", "1 while the journal takes new messages, else 0.",
)  # fmt: skip
OUTBOX: Final = row(
    "growbin_outbox_messages", "gauge", "", "node",
    "Messages in the journal's outbox that the broker has not confirmed, those of producers included.",
)  # fmt: skip
DISK_FREE: Final = row(
    "growbin_disk_free_bytes", "gauge", "", "node", "Free on the disk of the journal.", "bytes",
)  # fmt: skip
DISK_SIZE: Final = row(
    "growbin_disk_size_bytes", "gauge", "", "node", "Size of the disk of the journal.", "bytes",
)  # fmt: skip
DISK_FLOOR: Final = row(
    "growbin_disk_floor_bytes", "gauge", "", "node",
    "With less free than this a worker takes no new messages.", "bytes",
)  # fmt: skip
COUNT_FILES: Final = row(
    "growbin_metrics_files", "gauge", "", "node", "Files of counts: one for each living process, and the folded one.",
)  # fmt: skip
SOURCE_FAILED: Final = row(
    "growbin_metrics_source_up", "gauge", "source", "node",
    "1 where what is read at a scrape could be read, else 0: its metrics are missing then.",
)  # fmt: skip
SCHEDULE_OVERDUE: Final = row(
    "growbin_schedule_overdue_seconds", "gauge", "", "node",
    "Since when the oldest due time waits that no scheduler has taken; it grows also when no scheduler lives. Every "
    "node shows it: take the max.",
    "seconds",
)  # fmt: skip

# --- the cluster, shown by one scheduler

EXPORTER: Final = row(
    "growbin_exporter_leader", "gauge", "", "cluster",
    "1 at the scheduler that shows what concerns all nodes, 0 at the others.",
)  # fmt: skip
CLUSTER_SOURCE: Final = row(
    "growbin_cluster_source_up", "gauge", "source", "cluster",
    "1 where a source could be read, else 0: its metrics are missing then, and are not 0.",
    source=("broker", "schedule", "workers", "limits", "breakers", "budgets", "usage", "models"),
)  # fmt: skip
QUEUE_MESSAGES: Final = row(
    "growbin_queue_messages", "gauge", "queue state", "cluster",
    "Messages of a queue in the broker. RabbitMQ tells `ready` and `dead`, the embedded broker all.",
    state=("ready", "claimed", "delayed", "dead"),
)  # fmt: skip
QUEUE_AGE: Final = row(
    "growbin_queue_oldest_age_seconds", "gauge", "queue", "cluster",
    "Age of the message at the head of a queue: since it was sent or became due. 0 where none waits.", "seconds",
)  # fmt: skip
NODES: Final = row(
    "growbin_nodes", "gauge", "group", "cluster", "Nodes with living workers of a group.",
)  # fmt: skip
NODES_LEFT: Final = row(
    "growbin_nodes_gone_with_rows", "gauge", "", "cluster",
    "Nodes without living workers whose journals hold rows or messages that nobody else has.",
)  # fmt: skip
SCHEDULERS: Final = row(
    "growbin_scheduler_processes", "gauge", "", "cluster", "Schedulers that live.",
)  # fmt: skip
JOB_LAST_RUN: Final = row(
    "growbin_schedule_job_last_run_timestamp_seconds", "gauge", "job", "cluster",
    "When a job of the schedule last was due and done; missing where it never was.", "seconds",
)  # fmt: skip
JOB_NEXT_DUE: Final = row(
    "growbin_schedule_job_next_due_timestamp_seconds", "gauge", "job", "cluster",
    "When a job of the schedule is due next; missing while it is paused.", "seconds",
)  # fmt: skip
JOB_TROUBLE: Final = row(
    "growbin_schedule_job_trouble", "gauge", "job trouble", "cluster",
    "1 for what is the matter with the last due time of a job.", trouble=("none", "late", "failed"),
)  # fmt: skip
LIMIT_MOST: Final = row(
    "growbin_limit_units", "gauge", "limit", "cluster",
    "Units that a limit of paid calls grants in its window, at most. Limits of single users are not shown.",
)  # fmt: skip
LIMIT_WINDOW: Final = row(
    "growbin_limit_window_seconds", "gauge", "limit", "cluster", "Window of a limit.", "seconds",
)  # fmt: skip
LIMIT_USED: Final = row(
    "growbin_limit_used_last_minute", "gauge", "limit", "cluster", "Units granted in the minute that has passed.",
)  # fmt: skip
LIMIT_LINE: Final = row(
    "growbin_limit_line_seconds", "gauge", "limit", "cluster", "Seconds until the next unit is free.", "seconds",
)  # fmt: skip
LIMIT_HELD: Final = row(
    "growbin_limit_held_seconds", "gauge", "limit", "cluster", "Seconds for which a server asked to wait.", "seconds",
)  # fmt: skip
LIMIT_WAITING: Final = row(
    "growbin_limit_waiting_analyses", "gauge", "limit", "cluster",
    "Analyses that wait for a limit or are being answered.",
)  # fmt: skip
BREAKERS: Final = row(
    "growbin_breaker_state", "gauge", "breaker state", "cluster",
    "1 for the state that a breaker is in. `operator`: a person has to mend something.",
    state=("closed", "open", "operator"),
)  # fmt: skip
BUDGET_CAP: Final = row(
    "growbin_budget_cap_dollars", "gauge", "budget", "cluster",
    "Most that may be spent today; missing where there is no limit. Budgets of single users are not shown.", "dollars",
)  # fmt: skip
BUDGET_SPENT: Final = row(
    "growbin_budget_spent_dollars", "gauge", "budget", "cluster",
    "What counts against a budget today, open reservations included.", "dollars",
)  # fmt: skip
COST_TODAY: Final = row(
    "growbin_llm_cost_today_dollars", "gauge", "model", "cluster", "What requests to a model have cost today.",
    "dollars",
)  # fmt: skip
MODEL_DAYS_LEFT: Final = row(
    "growbin_model_days_left", "gauge", "model", "cluster",
    "Days until a model in use leaves its server's API; 0: the server has it no longer; missing where nobody says.",
)  # fmt: skip
