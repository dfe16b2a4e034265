"""Causes that lie in the work: queues, tasks, dead letters, the schedule. And what autoscalers go by."""

from typing import Any

from growbin_jobs.names import BULK_QUEUES, GROUPS
from monitoring.alert import Alert
from monitoring.risen import risen


def queues_of(group: str) -> str:
    """Return a pattern of a group's queues."""
    return "|".join(GROUPS[group].queues)


def recording_rules(numbers: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what a group's work needs, in slots, for the autoscalers (docs/autoscaling.md)."""

    def needed(group: str) -> str:
        busy = f'sum(growbin_worker_slots{{group="{group}", state="busy"}})'
        # max by: two schedulers may show the same queue for a moment.
        ready = f'sum(max by (queue) (growbin_queue_messages{{queue=~"{queues_of(group)}", state="ready"}}))'
        return f"{busy} + {ready}"

    used = 'max by (limit) (growbin_limit_used_last_minute{limit=~"vision|text"})'
    most = (
        'max by (limit) (growbin_limit_units{limit=~"vision|text"} * 60 / '
        'growbin_limit_window_seconds{limit=~"vision|text"})'
    )
    saturated = f"(max({used} / ({most} > 0)) >= {numbers['limit_saturated']})"
    # While a limit holds the work, threads wait for it: what is needed then is what calls really run.
    calls = "sum(rate(growbin_llm_request_duration_seconds_sum[5m]))"
    name = "growbin:work_slots:sum"
    return [
        {"record": name, "expr": needed("storage"), "labels": {"group": "storage"}},
        {
            "record": name,
            "expr": f"({needed('ai')}) unless on () {saturated} or on () ({calls} and on () {saturated})",
            "labels": {"group": "ai"},
        },
    ]


_BULK = "|".join(sorted(BULK_QUEUES))

ALERTS = [
    Alert(
        "GrowbinMessagesWaitLong", "warning", "5m",
        f'max by (queue) (growbin_queue_oldest_age_seconds{{queue!~"{_BULK}"}}) > «queue_age_seconds»',
        "A message has waited {{ $value | humanizeDuration }} in {{ $labels.queue }}.",
        "Workers take less than comes. Either they are too few, or what they need is slow or away.",
        "pipeline",
    ),
    Alert(
        "GrowbinBulkWaitsLong", "warning", "15m",
        f'max by (queue) (growbin_queue_oldest_age_seconds{{queue=~"{_BULK}"}}) > «bulk_queue_age_seconds»',
        "A picture of somebody who sent many has waited {{ $value | humanizeDuration }} in {{ $labels.queue }}.",
        "Pictures of users who have many under way come last. The limit of vision calls decides how long that is.",
        "pipeline",
    ),
    *(
        Alert(
            f"Growbin{name}Stands", "critical", "5m",
            f'sum(max by (queue) (growbin_queue_messages{{queue=~"{queues_of(group)}", state="ready"}})) > 0 '
            f'unless on () max(growbin_nodes{{group="{group}"}}) > 0',
            f"{{{{ $value }}}} messages wait and no {group} worker lives.",
            "Nothing of this group is done at all. Look at its pods.",
            "overview",
        )
        for name, group in (("Storage", "storage"), ("Ai", "ai"))
    ),
    Alert(
        "GrowbinDeadLetters", "warning", "0m",
        f"sum by (queue, reason) {risen('growbin_dead_letters_total', '15m')} > «dead_letters_in_15m»",
        "{{ $value | humanize }} messages of {{ $labels.queue }} were given up: {{ $labels.reason }}.",
        "Each is kept until somebody retries or discards it.",
        "pipeline",
    ),
    Alert(
        "GrowbinRetryStorm", "warning", "10m",
        "sum by (queue) (rate(growbin_task_retries_total[5m])) / "
        "sum by (queue) (rate(growbin_tasks_total[5m])) > «retry_share»",
        "{{ $value | humanizePercentage }} of runs of {{ $labels.queue }} raise and run again.",
        "Something that the actors need fails often. Retries hide it until they are spent.",
        "pipeline",
    ),
    Alert(
        "GrowbinTimeLimits", "warning", "0m",
        f"sum {risen('growbin_task_time_limits_total', '15m')} > «time_limits_in_15m»",
        "{{ $value | humanize }} runs were interrupted at their time limit.",
        "What they waited for is slow, or the machine is.",
        "pipeline",
    ),
    Alert(
        "GrowbinUnreadableMessages", "warning", "0m",
        f"sum by (queue) {risen('growbin_messages_undecodable_total', '15m')} > 0",
        "{{ $value | humanize }} deliveries of {{ $labels.queue }} were no message.",
        "A program that is not ours, or one of another version, publishes to this queue.",
        "pipeline",
    ),
    Alert(
        "GrowbinQueueDataMissing", "critical", "10m",
        'absent(growbin_queue_messages{state="ready"}) or on () min(growbin_cluster_source_up{source="broker"}) < 1',
        "Nobody knows how long the queues are.",
        "Alerts on queues are blind and nothing is scaled down. No scheduler lives, or it cannot read the broker.",
        "overview",
    ),
    Alert(
        "GrowbinSeveralExporters", "warning", "10m",
        "sum(growbin_exporter_leader) > 1",
        "{{ $value }} schedulers show what concerns all nodes; it should be one.",
        "Sums over queues and money may count twice. Their leases should decide within a minute.",
        "schedule",
    ),
    Alert(
        "GrowbinScheduleOverdue", "critical", "2m",
        "max(growbin_schedule_overdue_seconds) > «schedule_overdue_seconds»",
        "A periodic job has been due for {{ $value | humanizeDuration }} and nobody takes it.",
        "No scheduler works. Due times are caught up afterwards, as the table of jobs says.",
        "schedule",
    ),
    Alert(
        "GrowbinJobFailed", "warning", "5m",
        'max by (job) (growbin_schedule_job_trouble{trouble="failed"}) == 1',
        "The last due time of {{ $labels.job }} failed.",
        "Statistics, reports or clean-ups are missing until it is run again.",
        "schedule",
    ),
    Alert(
        "GrowbinJobLate", "warning", "15m",
        'max by (job) (growbin_schedule_job_trouble{trouble="late"}) == 1',
        "{{ $labels.job }} is not done and after its deadline.",
        "It waits in its queue, or it runs for longer than it should.",
        "schedule",
    ),
]  # fmt: skip
