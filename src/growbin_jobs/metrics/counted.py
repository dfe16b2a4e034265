"""The catalogue's rows that are counted in every process, and added up for a node."""

from __future__ import annotations

from typing import Final

from growbin_jobs.metrics.metric import row

#: Seconds of a run: from a rule that is looked up to a slow model with retries.
RUN_SECONDS: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)

#: Seconds in a queue: from at once to an outage of a day.
WAIT_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21600.0)

#: Seconds of one request to a model.
MODEL_SECONDS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 45.0, 60.0)

#: Seconds from an analysis that was accepted to its advice; 60 is the objective.
ANALYSIS_SECONDS: Final = (1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 45.0, 60.0, 90.0, 120.0, 300.0, 900.0, 3600.0)

_RUN_MS: Final = tuple(1000 * each for each in RUN_SECONDS)

STATUSES: Final = ("completed", "failed", "deferred", "dead", "skipped", "requeued")

# --- tasks

TASKS: Final = row(
    "growbin_tasks_total", "counter", "queue task_name status", "process",
    "Runs that have ended, by what became of them. `failed` runs again later, `dead` was given up.",
    status=STATUSES,
)  # fmt: skip
TASK_SECONDS: Final = row(
    "growbin_task_duration_seconds", "histogram", "queue task_name", "process",
    "How long runs took, whatever became of them.", "seconds", RUN_SECONDS,
)  # fmt: skip
TASK_WAIT: Final = row(
    "growbin_task_queue_wait_seconds", "histogram", "queue task_name", "process",
    "From the making of a message, its delay included, to the start of its first run. Retries and deferrals are not "
    "in it: their wait is asked for.",
    "seconds", WAIT_SECONDS,
)  # fmt: skip
RETRIES: Final = row(
    "growbin_task_retries_total", "counter", "queue task_name", "process",
    "Runs that raised and whose message runs again.",
)  # fmt: skip
DEFERRALS: Final = row(
    "growbin_task_deferrals_total", "counter", "queue task_name", "process",
    "Runs that asked to wait; spends no retry.",
)  # fmt: skip
DEAD_LETTERS: Final = row(
    "growbin_dead_letters_total", "counter", "queue task_name reason", "process",
    "Messages that were given up, by the code of the reason (docs/reasons.md); `undeliverable` and `unrecorded` were "
    "found by the keeper.",
)  # fmt: skip
REQUEUES: Final = row(
    "growbin_task_requeues_total", "counter", "queue task_name reason", "process",
    "Deliveries that could not be finished and went back to the broker.",
)  # fmt: skip
CRASHES: Final = row(
    "growbin_task_crashes_total", "counter", "", "process",
    "Tasks that ran when their process died. They run again.",
)  # fmt: skip
TIME_LIMITS: Final = row(
    "growbin_task_time_limits_total", "counter", "", "process", "Actors that were interrupted at their time limit.",
)  # fmt: skip
UNDECODABLE: Final = row(
    "growbin_messages_undecodable_total", "counter", "queue", "process",
    "Deliveries that were no message; each is a dead letter of the broker.",
)  # fmt: skip
KNOWN: Final = row(
    "growbin_messages_known_total", "counter", "queue", "process",
    "Deliveries of runs that had ended on this node; they did not run again.",
)  # fmt: skip
UNCONFIRMED: Final = row(
    "growbin_outbox_unconfirmed_total", "counter", "queue", "process",
    "Times that the broker did not take what a run sent; it is tried again.",
)  # fmt: skip

# --- analyses: what users see

ANALYSES: Final = row(
    "growbin_analyses_total", "counter", "status", "process",
    "Analyses that have come to an end. `completed` has its advice.", status=("completed", "failed"),
)  # fmt: skip
ANALYSIS_SECONDS_TAKEN: Final = row(
    "growbin_analysis_duration_seconds", "histogram", "", "process",
    "From the row of an analysis to its advice; of completed ones.", "seconds", ANALYSIS_SECONDS,
)  # fmt: skip

# --- models

MODEL_CALLS: Final = row(
    "gpt_api_calls_total", "counter", "model purpose status", "process",
    "HTTP requests to model servers, by how they ended.",
    status=("answered", "unusable", "refused", "rejected", "denied", "no_quota", "rate_limited", "failed", "timeout",
            "unreachable", "interrupted"),
)  # fmt: skip
MODEL_CACHE_HITS: Final = row(
    "gpt_cache_hits_total", "counter", "model", "process",
    "Vision answers that were at hand: the same picture was not paid for twice.",
)  # fmt: skip
MODEL_REQUEST_SECONDS: Final = row(
    "growbin_llm_request_duration_seconds", "histogram", "model purpose", "process",
    "How long requests to model servers took, failures included.", "seconds", MODEL_SECONDS,
)  # fmt: skip
MODEL_TOKENS: Final = row(
    "growbin_llm_tokens_total", "counter", "model type", "process",
    "Tokens as the model server counted them. `cached` is part of `input`, `reasoning` of `output`.", "tokens",
    type=("input", "output", "cached", "reasoning"),
)  # fmt: skip
MODEL_COST: Final = row(
    "growbin_llm_cost_dollars_total", "counter", "model", "process",
    "What the requests cost, of models whose price is known.", "dollars",
)  # fmt: skip
MODEL_UNPRICED: Final = row(
    "growbin_llm_unpriced_requests_total", "counter", "model", "process",
    "Requests that may have been billed and whose price is not known: not in the cost.",
)  # fmt: skip

# --- broker connections of a node

CONNECTIONS: Final = row(
    "growbin_broker_connections_total", "counter", "", "process", "Connections to RabbitMQ that were opened.",
)  # fmt: skip
CONNECTIONS_LOST: Final = row(
    "growbin_broker_connections_lost_total", "counter", "", "process", "Connections to RabbitMQ that were lost.",
)  # fmt: skip
CONNECTIONS_FAILED: Final = row(
    "growbin_broker_connection_failures_total", "counter", "", "process",
    "Tries to connect to RabbitMQ that failed.",
)  # fmt: skip
CONNECTIONS_BLOCKED: Final = row(
    "growbin_broker_blocked_total", "counter", "", "process",
    "Times that RabbitMQ took no messages because of its memory or disk alarm.",
)  # fmt: skip
QUEUE_PAUSES: Final = row(
    "growbin_queue_pauses_total", "counter", "queue", "process",
    "Times that a process stopped taking a queue's messages because what they need is away.",
)  # fmt: skip
FETCHING_STOPPED: Final = row(
    "growbin_worker_stopped_fetching_total", "counter", "", "process",
    "Times that a worker took nothing new because the journal could not be written.",
)  # fmt: skip

# --- the keeper's work

SYNCED: Final = row(
    "growbin_journal_synced_rows_total", "counter", "", "process", "Journal rows copied to the central database.",
)  # fmt: skip
SYNC_REFUSED: Final = row(
    "growbin_journal_refused_rows_total", "counter", "", "process",
    "Journal rows that the central database does not take.",
)  # fmt: skip
JOB_FAILURES: Final = row(
    "growbin_periodic_job_failures_total", "counter", "owner job", "process",
    "Runs of the keeper's or the scheduler's own periodic jobs that failed.", owner=("keeper", "scheduler"),
)  # fmt: skip
JOB_WAITS: Final = row(
    "growbin_periodic_job_waits_total", "counter", "owner job", "process",
    "Runs of the keeper's or the scheduler's own periodic jobs that needed something which was away.",
    owner=("keeper", "scheduler"),
)  # fmt: skip
FILES_QUARANTINED: Final = row(
    "growbin_files_quarantined_total", "counter", "kind", "process", "Damaged files that were put aside.",
    kind=("journal", "metrics"),
)  # fmt: skip
PROCESSES_FOLDED: Final = row(
    "growbin_metrics_folded_processes_total", "counter", "", "process",
    "Processes that have ended and whose counts were folded into the node's.",
)  # fmt: skip

# --- Dramatiq's own names, for dashboards that were made for them; the same counts

DRAMATIQ_MESSAGES: Final = row(
    "dramatiq_messages_total", "counter", "queue_name actor_name", "process", "Runs that have ended.",
)  # fmt: skip
DRAMATIQ_ERRORS: Final = row(
    "dramatiq_message_errors_total", "counter", "queue_name actor_name", "process", "Runs that raised.",
)  # fmt: skip
DRAMATIQ_RETRIES: Final = row(
    "dramatiq_message_retries_total", "counter", "queue_name actor_name", "process", "Runs whose message runs again.",
)  # fmt: skip
DRAMATIQ_REJECTS: Final = row(
    "dramatiq_message_rejects_total", "counter", "queue_name actor_name", "process", "Messages that were given up.",
)  # fmt: skip
DRAMATIQ_MS: Final = row(
    "dramatiq_message_duration_milliseconds", "histogram", "queue_name actor_name", "process", "How long runs took.",
    "milliseconds", _RUN_MS,
)  # fmt: skip
