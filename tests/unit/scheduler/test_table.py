"""The table of periodic jobs, as it has been asked for."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.scheduler.jobs import Period, calendar_period, data_interval, named
from growbin_jobs.scheduler.rules import parse_rule
from growbin_jobs.scheduler.table import JOBS, ONCE

SEOUL = ZoneInfo("Asia/Seoul")


def test_the_jobs_are_due_when_they_must_be():
    assert {job.name: str(job.when) for job in JOBS} == {
        "sweep": "every 300 s",
        "checkpoint": "every 3600 s",
        "prune": "0 0 * * *",
        "reports.weekly": "0 9 * * 1",
        "health.check_all_agents": "every 600 s",
        "llm.check_all_models": "every 900 s",
        "llm.check_ends": "0 8 * * *",
        "llm.make_batches": "every 300 s",
        "llm.look_after_batches": "every 300 s",
        "statistics.aggregate_daily": "5 0 * * *",
        "statistics.aggregate_weekly": "0 1 * * 1",
        "statistics.aggregate_monthly": "30 1 1 * *",
        "cleanup.old_logs": "0 2 * * *",
        "cleanup.old_sessions": "0 3 * * 0",
        "cleanup.compress_statistics": "0 4 1 * *",
    }
    assert {job.name for job in JOBS if job.every_node} == {"sweep", "checkpoint", "prune"}


@pytest.mark.parametrize("job", ONCE, ids=lambda job: job.name)
def test_a_job_is_its_actor_and_what_it_waits_for_exists(job):
    assert job.route.actor == job.name
    assert job.after is None or named(job.after, JOBS) is not None
    assert parse_rule(str(job.when)) == job.when
    assert not (isinstance(job.when, Cron) and job.when.warnings)
    assert job.done_within <= job.max_run or isinstance(job.when, Cron)


@pytest.mark.parametrize(
    ("period", "due", "since", "until"),
    [
        (Period.DAY, "2026-11-27T00:05", "2026-11-26", "2026-11-27"),
        (Period.WEEK, "2026-11-30T01:00", "2026-11-23", "2026-11-30"),
        (Period.MONTH, "2026-12-01T01:30", "2026-11-01", "2026-12-01"),
        (Period.MONTH, "2028-03-01T01:30", "2028-02-01", "2028-03-01"),
        (Period.MONTH, "2027-01-01T01:30", "2026-12-01", "2027-01-01"),
    ],
)
def test_a_due_time_names_its_data(period, due, since, until):
    job = next(job for job in ONCE if job.period is period)
    at = datetime.fromisoformat(due).replace(tzinfo=SEOUL)

    assert data_interval(job, at, at, SEOUL) == tuple(
        datetime.fromisoformat(day).replace(tzinfo=SEOUL) for day in (since, until)
    )


def test_days_are_23_and_25_hours_long_where_clocks_are_set():
    new_york, daily = ZoneInfo("America/New_York"), named("statistics.aggregate_daily", JOBS)
    lengths = []
    for day in (datetime(2026, 3, 9, 4, 5, tzinfo=UTC), datetime(2026, 11, 2, 5, 5, tzinfo=UTC)):
        since, until = data_interval(daily, day, day, new_york)
        lengths.append(until - since)
    assert lengths == [timedelta(hours=23), timedelta(hours=25)]


@pytest.mark.parametrize(
    ("when", "period"),
    [
        (Cron("5 0 * * *"), "2026-11-30"),
        (Cron("0 9 * * 1"), "2026-W49"),
        (Cron("30 1 1 * *"), "2026-11"),
        (Cron("0 9 * * 1,4"), None),
        (Cron("0,30 9 * * *"), None),
        (Every(600), None),
    ],
)
def test_a_rule_that_is_due_once_in_a_period_tells_which(when, period):
    assert calendar_period(when, datetime(2026, 11, 30, 9, tzinfo=SEOUL), SEOUL) == period
