"""Edits of a schedule on both databases: nothing of them is run again, lost or doubled."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.contract.schedule_world import CHECKS, DAILY, DAY, HOUR, MINUTE, NEW_YORK, ROUTE, SEOUL, ScheduleWorld

from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.errors import NotFound
from growbin_jobs.scheduler.jobs import Period, ScheduledJob


def test_a_new_job_begins_with_its_next_due_time(schedule: ScheduleWorld) -> None:
    [change] = schedule.register(DAILY)

    assert (change.kind, change.next_after) == ("new", datetime(2026, 11, 28, 15, 5, tzinfo=UTC))
    assert schedule.look(DAILY) == []
    assert schedule.register(DAILY) == []


def test_a_rule_that_is_edited_on_the_way_counts_from_then_on(schedule: ScheduleWorld) -> None:
    """B-T11: 02:00 was done, at 02:30 it becomes 03:00: not again on that day."""
    job = replace(DAILY, when=Cron("0 2 * * *"))
    schedule.now = datetime(2026, 11, 28, 1, tzinfo=SEOUL)
    schedule.register(job)
    schedule.now += HOUR
    schedule.work(*schedule.look(job))
    schedule.now += 30 * MINUTE
    later = replace(job, when=Cron("0 3 * * *"))
    [change] = schedule.register(later)
    assert (change.kind, change.dropped) == ("edited", 0)

    schedule.now += HOUR
    assert schedule.look(later) == []
    assert schedule.states("daily") == ["done", "skipped"]
    schedule.now += DAY
    assert [claim.due for claim in schedule.look(later)] == [datetime(2026, 11, 29, 3, tzinfo=SEOUL)]


def test_a_zone_that_is_changed_on_the_17th_replays_no_month(schedule: ScheduleWorld) -> None:
    """B-T6."""
    monthly = ScheduledJob(name="monthly", when=Cron("30 1 1 * *"), route=ROUTE, period=Period.MONTH)
    schedule.now = datetime(2026, 10, 31, 12, tzinfo=UTC)
    schedule.register(monthly)
    schedule.now = datetime(2026, 11, 1, tzinfo=UTC)
    schedule.work(*schedule.look(monthly))
    schedule.now = datetime(2026, 11, 17, 12, tzinfo=UTC)
    schedule.zone = NEW_YORK
    schedule.register(monthly)
    while schedule.now < datetime(2026, 12, 1, 6, 29, tzinfo=UTC):
        schedule.now += 6 * HOUR
        assert schedule.now > datetime(2026, 12, 1, 6, 30, tzinfo=UTC) or schedule.look(monthly) == []

    schedule.now = datetime(2026, 12, 1, 6, 31, tzinfo=UTC)
    assert [claim.due for claim in schedule.look(monthly)] == [datetime(2026, 12, 1, 1, 30, tzinfo=NEW_YORK)]


def test_what_came_by_the_old_rule_while_no_scheduler_ran_is_skipped(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += HOUR
    [change] = schedule.register(replace(CHECKS, when=Every(1800)))

    assert change.dropped == 6
    [row] = schedule.rows("checks")
    assert (row["state"], row["covers"]) == ("skipped", 6)
    assert schedule.look(CHECKS) == []


def test_a_job_that_is_removed_while_it_is_claimed_is_not_run(schedule: ScheduleWorld) -> None:
    """B-T7: even if its message is sent by the one that had claimed it."""
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [claim] = schedule.look(CHECKS, send=False)
    [change] = schedule.register()

    assert change.kind == "removed"
    assert not schedule.ledger().sent(claim)
    assert schedule.work(claim) == 0
    [row] = schedule.rows("checks")
    assert row["state"] == "skipped"
    assert row["reason"].startswith("removed")
    schedule.now += HOUR
    assert schedule.look(CHECKS) == []


def test_a_job_that_comes_back_replays_nothing(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.register()
    schedule.now += DAY
    schedule.register(CHECKS)

    assert schedule.look(CHECKS) == []
    assert schedule.rows("checks") == []


def test_a_renamed_job_is_a_new_one(schedule: ScheduleWorld) -> None:
    schedule.register(DAILY)
    schedule.now += 3 * HOUR
    changes = schedule.register(replace(DAILY, name="renamed"))

    assert [(change.job, change.kind) for change in changes] == [("daily", "removed"), ("renamed", "new")]
    assert schedule.look(replace(DAILY, name="renamed")) == []


def test_a_pause_survives_restarts_and_is_not_made_up_for(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    ledger = schedule.ledger("cli")
    ledger.registry.pause("checks", by="kim", reason="the agents are moved")
    schedule.now += HOUR
    assert schedule.look(CHECKS, process="another") == []
    [row] = schedule.rows("checks")
    assert (row["state"], row["covers"], row["reason"]) == ("skipped", 6, "paused by kim: the agents are moved")

    ledger.resume(CHECKS)
    schedule.now += 10 * MINUTE
    assert len(schedule.look(CHECKS)) == 1


def test_what_came_during_a_pause_that_nobody_watched_is_skipped_at_its_end(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.ledger().registry.pause("checks", by="kim", reason="x")
    schedule.now += HOUR
    schedule.ledger().resume(CHECKS)

    assert schedule.look(CHECKS) == []
    assert [(row["state"], row["covers"]) for row in schedule.rows("checks")] == [("skipped", 6)]


def test_a_pause_ends_by_itself(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.ledger().registry.pause("checks", by="kim", reason="x", until=schedule.now + 30 * MINUTE)
    schedule.now += 45 * MINUTE

    assert len(schedule.look(CHECKS)) == 1
    assert schedule.states("checks") == ["skipped", "sent"]


def test_nobody_pauses_a_job_that_does_not_exist(schedule: ScheduleWorld) -> None:
    with pytest.raises(NotFound, match="schedule list"):
        schedule.ledger().registry.pause("chekcs", by="kim", reason="x")


def test_a_comparison_changes_nothing(schedule: ScheduleWorld) -> None:
    registry = schedule.ledger().registry
    assert [change.kind for change in registry.compare([DAILY], SEOUL)] == ["new"]
    assert registry.states() == {}
