"""What goes wrong with periodic jobs and their schedulers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from growbin_jobs.names import AGGREGATE_DAILY, CHECK_ALL_AGENTS
from staged_alerts.paid import all_groups
from staged_alerts.play import Play, Stage
from staged_alerts.site import CENTRAL, Site, until
from staged_alerts.work import NOT_SCRAPED


def _ago(hours: float) -> str:
    return (datetime.now(UTC) - timedelta(hours=hours)).isoformat(timespec="microseconds")


def _job_fails(site: Site) -> None:
    """Let the database refuse to note its end."""
    site.by_hand(
        CENTRAL,
        "CREATE TRIGGER staged BEFORE UPDATE OF done_at ON job_run WHEN NEW.done_at IS NOT NULL "
        f"AND NEW.job = '{CHECK_ALL_AGENTS.actor}' BEGIN SELECT RAISE(ABORT, 'staged'); END",
    )
    site.run("schedule", "run", CHECK_ALL_AGENTS.actor)


def _job_is_late(site: Site) -> None:
    """Let it wait in a queue that is paused since before its time was over."""
    site.run("queues", "pause", AGGREGATE_DAILY.queue, "--why", "staged")
    site.run("schedule", "run", AGGREGATE_DAILY.actor)
    late = "UPDATE schedule_ledger SET done_by = ? WHERE job = ? AND ended_at IS NULL"
    until(lambda: site.by_hand(CENTRAL, late, _ago(2), AGGREGATE_DAILY.actor), "it is in the ledger")


def _two_truths(site: Site) -> None:
    """Start a scheduler that has another database."""
    site.scheduler("elsewhere", {"GROWBIN_DATA_DIR": str(site.folder / "elsewhere")})


def _nobody_takes_it(site: Site) -> None:
    site.kill("scheduler")
    statement = "UPDATE schedule_state SET planned_until = ? WHERE job = ?"
    site.by_hand(CENTRAL, statement, _ago(2), CHECK_ALL_AGENTS.actor)


SCHEDULE = Play(
    "schedule",
    all_groups,
    (
        Stage("a job fails", frozenset({"GrowbinJobFailed"}), _job_fails),
        Stage("a job is late", frozenset({"GrowbinJobLate"}), _job_is_late),
        Stage(
            "nobody takes what is due", frozenset({"GrowbinScheduleOverdue"}), _nobody_takes_it,
            right=NOT_SCRAPED | {"GrowbinQueueDataMissing"},
        ),
    ),
)  # fmt: skip

TWO_SCHEDULERS = Play(
    "two-schedulers",
    all_groups,
    (Stage("two schedulers lead", frozenset({"GrowbinSeveralExporters"}), _two_truths),),
)

PLAYS = (SCHEDULE, TWO_SCHEDULERS)
