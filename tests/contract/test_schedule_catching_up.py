"""What a schedule does about due times that came late, on both databases: bounds, overlap, order."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from tests.contract.schedule_world import CHECKS, DAILY, DAY, HOUR, MINUTE, ROUTE, SEOUL, ScheduleWorld

from growbin_jobs.engine.periodic.cron import Cron
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.errors import Transient
from growbin_jobs.scheduler.claims import Claim
from growbin_jobs.scheduler.jobs import Period, RunAll, RunLatest, ScheduledJob

# --- catching up


def test_after_forty_days_checks_run_once_and_days_run_all(schedule: ScheduleWorld) -> None:
    """B-T5."""
    many = replace(DAILY, catch_up=RunAll(60, 60 * DAY))
    schedule.register(CHECKS, many)
    began = schedule.now
    schedule.now += 40 * DAY

    [check] = schedule.look(CHECKS)
    assert schedule.now - check.due < 10 * MINUTE
    coalesced, run = schedule.rows("checks")
    assert (coalesced["state"], coalesced["covers"], run["state"]) == ("coalesced", 40 * 144 - 1, "sent")

    dues = []
    for _ in range(45):
        claims = schedule.look(many)
        dues += [claim.due for claim in claims]
        schedule.work(*claims)
        schedule.now += timedelta(seconds=10)
    assert len(dues) == 40
    assert dues == sorted(dues)
    assert dues[0] - began < DAY
    assert set(schedule.states("daily")) == {"done"}


def test_what_is_beyond_the_bounds_is_recorded_as_missed(schedule: ScheduleWorld) -> None:
    few = replace(DAILY, catch_up=RunAll(3, 5 * DAY))
    schedule.register(few, CHECKS)
    schedule.now += 10 * DAY
    schedule.look(few)
    schedule.look(replace(CHECKS, catch_up=RunLatest(MINUTE / 2)))

    missed, *run = schedule.rows("daily")
    assert (missed["state"], missed["covers"], len(run)) == ("missed", 7, 3)
    assert schedule.states("checks") == ["missed"]


def test_a_long_absence_never_ends_the_schedule(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 300 * DAY  # 43,200 due times
    schedule.work(*schedule.look(CHECKS))
    schedule.now += 10 * MINUTE

    assert len(schedule.look(CHECKS)) == 1


def test_a_clock_that_is_set_back_sends_nothing_twice(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += HOUR
    schedule.work(*schedule.look(CHECKS))
    schedule.now -= HOUR
    for _ in range(7):
        assert schedule.look(CHECKS) == []
        schedule.now += 9 * MINUTE
    schedule.now += 7 * MINUTE
    assert len(schedule.look(CHECKS)) == 1


@pytest.mark.parametrize("ahead", [9 * HOUR, 400 * DAY], ids=["a zone", "a year"])
def test_a_clock_that_was_ahead_holds_no_job_up_once_it_is_set_right(schedule: ScheduleWorld, ahead: timedelta) -> None:
    """A machine that takes its clock's local time for UTC until the network has set it: it had planned everything."""
    schedule.register(CHECKS, DAILY)
    began = schedule.now
    schedule.now += ahead
    early = schedule.look(CHECKS, DAILY)
    schedule.work(*early)
    schedule.now = began + MINUTE

    later: list[Claim] = []
    while schedule.now < began + 13 * HOUR:  # past midnight
        claims = schedule.look(CHECKS, DAILY)
        assert schedule.work(*claims) == len(claims)
        later += claims
        schedule.now += 10 * MINUTE

    had = [(claim.job, claim.due) for claim in (*early, *later)]
    assert len(had) == len(set(had)), "none twice"
    dues = due_between(CHECKS.when, SEOUL, began, schedule.now - 10 * MINUTE)
    assert {("checks", due) for due in dues} <= set(had)
    assert {("daily", due) for due in due_between(DAILY.when, SEOUL, began, began + 13 * HOUR)} <= set(had)


def test_a_run_that_was_lost_under_a_clock_that_was_ahead_holds_nothing_up(schedule: ScheduleWorld) -> None:
    """Its message is gone, and the worker that had taken it as well."""
    schedule.register(CHECKS, DAILY)
    began = schedule.now
    schedule.now += 400 * DAY
    [check] = schedule.look(CHECKS)
    schedule.due_times().take("checks", check.due)
    schedule.look(DAILY, send=False)
    schedule.now = began + HOUR

    next_one = next(claim for _ in range(200) for claim in after(schedule, CHECKS))
    assert next_one.due - began < 4 * HOUR
    schedule.now = check.due - MINUTE
    assert schedule.due_times().take("checks", check.due) is not None


def after(schedule: ScheduleWorld, job: ScheduledJob) -> list[Claim]:
    schedule.now += MINUTE
    return schedule.look(job)


# --- overlap and order


def test_a_check_that_takes_25_minutes_never_runs_twice_at_once(schedule: ScheduleWorld) -> None:
    """B-T12."""
    schedule.register(CHECKS)
    running: list[tuple[datetime, Claim]] = []
    at_once = 0
    for _ in range(120):
        schedule.now += MINUTE
        running += [(schedule.now, claim) for claim in schedule.look(CHECKS)]
        at_once = max(at_once, len(running))
        if running and schedule.now - running[0][0] >= 25 * MINUTE:
            schedule.work(running.pop(0)[1])
    assert at_once == 1
    assert schedule.states("checks").count("overlapped") >= 6
    assert set(schedule.states("checks")) <= {"done", "overlapped", "sent"}


def test_a_job_that_hangs_keeps_the_next_ones_waiting_no_longer_than_its_limit(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [claim] = schedule.look(CHECKS)
    assert schedule.due_times().take(claim.job, claim.due) is not None
    schedule.now += 2 * HOUR + MINUTE
    schedule.now += 10 * MINUTE

    assert len(schedule.look(CHECKS)) == 1
    assert schedule.states("checks")[0] == "failed"


def test_what_no_worker_began_in_time_is_missed_and_not_run_later(schedule: ScheduleWorld) -> None:
    schedule.register(CHECKS)
    schedule.now += 10 * MINUTE
    [claim] = schedule.look(CHECKS)
    schedule.now += 3 * HOUR
    schedule.look(CHECKS)

    assert schedule.states("checks")[0] == "missed"
    assert schedule.work(claim) == 0


WEEK = ScheduledJob(name="week", when=Cron("0 1 * * 1"), route=ROUTE, period=Period.WEEK)
REPORT = ScheduledJob(
    name="report", when=Cron("0 9 * * 1"), route=ROUTE, period=Period.WEEK, after="week", catch_up=RunLatest(7 * DAY)
)


def test_the_report_waits_for_the_statistics_and_runs_once(schedule: ScheduleWorld) -> None:
    """B-T18: the statistics fail at 01:00 and succeed at 09:20."""
    schedule.register(WEEK, REPORT)
    monday = datetime(2026, 11, 30, tzinfo=SEOUL)
    schedule.now = monday + HOUR
    [week] = schedule.look(WEEK, REPORT)
    with pytest.raises(Transient), schedule.due_times().taking("week", week.due):
        raise Transient("no")

    schedule.now = monday + 9 * HOUR
    assert schedule.look(WEEK, REPORT) == []
    [row] = schedule.rows("report")
    assert (row["state"], row["reason"]) == ("due", "waits for week")
    schedule.now += 20 * MINUTE
    schedule.work(week)
    [report] = schedule.look(WEEK, REPORT)
    schedule.work(report)
    schedule.now += DAY

    assert schedule.look(WEEK, REPORT) == []
    [row] = schedule.rows("report")
    assert (row["state"], row["due"], row["sent_at"]) == (
        "done", monday + 9 * HOUR, monday + 9 * HOUR + 20 * MINUTE,
    )  # fmt: skip


def test_a_report_whose_statistics_never_come_is_missed_in_the_end(schedule: ScheduleWorld) -> None:
    schedule.register(WEEK, REPORT)
    schedule.now = datetime(2026, 11, 30, 9, tzinfo=SEOUL)
    schedule.look(WEEK, REPORT)
    schedule.now += 7 * DAY + MINUTE
    schedule.look(REPORT)

    assert (schedule.rows("report")[0]["state"], schedule.rows("report")[0]["reason"]) == (
        "missed",
        "week has not been done",
    )


def test_a_laptop_that_slept_over_monday_gives_one_late_report(schedule: ScheduleWorld) -> None:
    """B20: nine hours; the statistics are made up for first."""
    schedule.now = datetime(2026, 11, 30, 0, 30, tzinfo=SEOUL)
    schedule.register(WEEK, REPORT)
    schedule.now += 9 * HOUR
    [week] = schedule.look(WEEK, REPORT)
    schedule.work(week)
    [report] = schedule.look(WEEK, REPORT)
    schedule.work(report)
    schedule.now += DAY
    schedule.look(WEEK, REPORT)

    [row] = schedule.rows("report")
    assert (row["state"], row["sent_at"] - row["due"]) == ("done", 30 * MINUTE)
