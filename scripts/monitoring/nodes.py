"""Causes that lie in nodes: processes, journals, disks, connections."""

from monitoring.alert import Alert
from monitoring.risen import risen

ALERTS = [
    Alert(
        "GrowbinNodeUnhealthy", "critical", "5m",
        "min by (worker, check) (growbin_health_check) == 0",
        "{{ $labels.check }} of {{ $labels.worker }} fails its health check.",
        "The pod takes no work, or soon will not. Kubernetes restarts it when /livez fails.",
        "overview",
    ),
    Alert(
        "GrowbinNodeNotScraped", "warning", "10m",
        'up{job=~".*growbin.*"} == 0',
        "Prometheus cannot read {{ $labels.instance }}.",
        "The keeper or scheduler there does not answer, or a NetworkPolicy is in the way.",
        "overview",
    ),
    Alert(
        "GrowbinWorkersCrash", "warning", "0m",
        f"sum by (worker) {risen('growbin_task_crashes_total', '15m')} > «crashes_in_15m»",
        "{{ $value | humanize }} tasks ran on {{ $labels.worker }} when their process died.",
        "They run again; one that kills its process is found and given up. Often it is memory.",
        "overview",
    ),
    Alert(
        "GrowbinJournalLags", "warning", "10m",
        "max by (worker) (wal_sync_delay_seconds) > «journal_lag_seconds»",
        "The database has not got {{ $value | humanizeDuration }} of the journal of {{ $labels.worker }}.",
        "Nothing is lost. The monitor shows old states; the journal grows until the database answers again.",
        "overview",
    ),
    Alert(
        "GrowbinJournalRefused", "warning", "0m",
        f"sum by (worker) {risen('growbin_journal_refused_rows_total', '15m')} > 0",
        "The database refuses {{ $value | humanize }} journal rows of {{ $labels.worker }}.",
        "They stay in the journal and are tried again every five minutes; the log has the reason.",
        "overview",
    ),
    Alert(
        "GrowbinOutboxStands", "warning", "5m",
        "min_over_time(growbin_outbox_messages[10m]) > «outbox_messages»",
        "{{ $value | humanize }} messages on {{ $labels.worker }} wait for the broker to take them.",
        "Follow-ups come late. The broker is away, full, or refuses them.",
        "overview",
    ),
    Alert(
        "GrowbinJournalNotWritable", "critical", "2m",
        "min by (worker) (growbin_journal_writable) == 0",
        "{{ $labels.worker }} takes no messages: its journal cannot be written.",
        "The disk is full, read-only or broken. Other nodes go on; this one resumes by itself.",
        "overview",
    ),
    Alert(
        "GrowbinDiskFills", "warning", "15m",
        "min by (worker) (growbin_disk_free_bytes / growbin_disk_size_bytes) < «disk_free_share» and "
        "min by (worker) (predict_linear(growbin_disk_free_bytes[6h], «disk_full_within_hours» * 3600) "
        "- growbin_disk_floor_bytes) < 0",
        "The journal's disk of {{ $labels.worker }} will be full within «disk_full_within_hours» hours.",
        "Then the node takes no messages. Usually the database is away, and the journal cannot be pruned.",
        "overview",
    ),
    Alert(
        "GrowbinNodeLeftRows", "warning", "30m",
        "max(growbin_nodes_gone_with_rows) > 0",
        "{{ $value }} nodes are gone and left rows or messages in their journals.",
        "Follow-up messages may be among them: analyses that stand still. Drain the retained volumes.",
        "overview",
    ),
    Alert(
        "GrowbinFilesDamaged", "warning", "0m",
        f"sum by (worker, kind) {risen('growbin_files_quarantined_total', '1h')} > 0",
        "A damaged {{ $labels.kind }} file on {{ $labels.worker }} was put aside.",
        "Work goes on with a new file. A disk that damages one will damage the next.",
        "overview",
    ),
    Alert(
        "GrowbinKeeperFails", "warning", "5m",
        f"sum by (worker, owner, job) {risen('growbin_periodic_job_failures_total', '30m')} > «keeper_failures_in_30m»",
        "{{ $labels.job }} of the {{ $labels.owner }} of {{ $labels.worker }} fails again and again.",
        "The log has the reason. What is merely away does not count as a failure.",
        "overview",
    ),
    Alert(
        "GrowbinBrokerUnstable", "warning", "0m",
        f"(sum {risen('growbin_broker_connections_lost_total', '15m')} or vector(0)) + "
        f"(sum {risen('growbin_broker_connection_failures_total', '15m')} or vector(0)) > «connections_lost_in_15m»",
        "{{ $value | humanize }} connections to RabbitMQ were lost or failed.",
        "Messages wait on senders' disks meanwhile. RabbitMQ restarts, or the network does.",
        "overview",
    ),
    Alert(
        "GrowbinBrokerBlocked", "critical", "1m",
        f"sum {risen('growbin_broker_blocked_total', '10m')} > 0",
        "RabbitMQ takes no messages: its memory or disk alarm is on.",
        "Workers empty the queues meanwhile; what is sent waits on senders' disks.",
        "overview",
    ),
    Alert(
        "GrowbinVersionsMixed", "warning", "1h",
        "count(count by (version) (growbin_build_info)) > 1",
        "{{ $value }} versions have run side by side for an hour.",
        "A rollout stands still. Two releases next to each other work; three may not.",
        "overview",
    ),
]  # fmt: skip
