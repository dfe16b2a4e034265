"""The second algorithm: a walk through local time finds the due times, and what is wrong with a ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.upgraded import upgrade

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.effects import DueTimes
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.overview import Overview, preview
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow
from growbin_jobs.scheduler.table import JOBS, ONCE
from growbin_jobs.scheduler.verify import verify, walked

#: Four of them set clocks in odd ways: by half an hour, at midnight, by two hours, from 02:45.
ZONES = (
    "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "Antarctica/Troll", "Pacific/Chatham",
)  # fmt: skip
DAY = timedelta(days=1)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rule", ["5 0 * * *", "0 0 * * *", "30 2 * * *", "*/30 2 * * *", "15 1,2 * * *", "0 9 * * 1"])
def test_both_algorithms_agree_where_clocks_are_set(zone, rule):
    """The days about those on which they are set, in both halves of the year, and some on which they are not."""
    where, cron = ZoneInfo(zone), Cron(rule)
    begin = datetime(2026, 1, 1, 7, tzinfo=UTC)
    days = [begin + number * DAY for number in range(370)]
    changed = [day for day in days if day.astimezone(where).utcoffset() != (day + DAY).astimezone(where).utcoffset()]
    assert len(changed) == (0 if zone == "Asia/Seoul" else 2)
    quiet = 7 if rule.endswith("1") else 1
    for after, until in [(begin, begin + quiet * DAY), *((day - DAY, day + 2 * DAY) for day in changed)]:
        assert list(walked(cron, where, after, until)) == list(due_between(cron, where, after, until)), after


@settings(deadline=None)
@given(st.integers(1, 400) | st.integers(1, 100_000), st.integers(0, 10**6))
def test_intervals_of_any_whole_seconds_are_walked(seconds, begin):
    after = datetime(2026, 11, 30, tzinfo=UTC) + timedelta(seconds=begin)
    until = after + timedelta(minutes=5)
    every = Every(seconds)
    assert list(walked(every, ZoneInfo("UTC"), after, until)) == list(due_between(every, ZoneInfo("UTC"), after, until))


def test_intervals_are_walked_too():
    after = datetime(2026, 11, 28, 10, 0, 30, tzinfo=UTC)

    found = list(walked(Every(600), ZoneInfo("UTC"), after, after + timedelta(hours=1)))

    assert found == list(due_between(Every(600), ZoneInfo("UTC"), after, after + timedelta(hours=1)))
    assert len(found) == 6


class World:
    """A schedule that is played, on SQLite."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = datetime(2026, 3, 7, 12, tzinfo=UTC)
        self.zone = ZoneInfo("America/New_York")

    def clock(self, _connection: Any) -> datetime:
        return self.now

    def play(self, jobs: tuple[ScheduledJob, ...], until: datetime, step: timedelta) -> None:
        ledger, due_times = Ledger(self.database, "a", clock=self.clock), DueTimes(self.database, clock=self.clock)
        ledger.registry.register(jobs, self.zone)
        while self.now < until:
            self.now += step
            idle = ledger.idle(jobs)
            for job in jobs:
                for claim in ledger.advance(job) if job.name not in idle else ():
                    ledger.sent(claim)
                    with due_times.taking(job.name, claim.due):
                        pass

    def verify(self, since: datetime) -> Any:
        return verify(self.database, since, self.now, clock=self.clock)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=10)
    upgrade(database, SCHEMA)
    yield World(database)
    database.close()


DAYS = tuple(job for job in ONCE if isinstance(job.when, Cron))


@pytest.mark.parametrize("began", [datetime(2026, 3, 6, 12, tzinfo=UTC), datetime(2026, 10, 28, 12, tzinfo=UTC)])
def test_the_schedule_over_a_change_of_clocks_verifies_and_is_what_the_preview_said(world, began):
    """B18: the preview equals the ledger. Each time 9 days; those of autumn have the first of a month."""
    world.now = began
    world.play(DAYS, began + 9 * DAY, timedelta(hours=3))
    verdict = world.verify(began)

    assert verdict.findings == []
    assert verdict.settled == verdict.pending == 0
    rows = world.database.rows(LedgerRow.select().order_by(LedgerRow.due, LedgerRow.job))
    assert [(row["due"], row["job"]) for row in rows] == list(preview(DAYS, world.zone, began, world.now))
    assert verdict.checked == len(rows) >= 9 * 2 + 3
    assert {row["job"] for row in rows} == {job.name for job in DAYS if began.month == 10 or len(job.when.days) > 1}


def test_a_hole_a_double_and_a_due_time_of_other_zone_rules_are_found(world):
    began = world.now
    world.play(DAYS, began + 4 * DAY, timedelta(hours=3))
    daily = LedgerRow.job == "statistics.aggregate_daily"
    [first, second, third, *_] = world.database.rows(LedgerRow.select().where(daily).order_by(LedgerRow.due))

    def damage(connection: Any) -> None:
        LedgerRow.delete().where(daily & (LedgerRow.due == first["due"])).execute(connection)
        JobRunRow.update(effects=2).where(JobRunRow.due == second["due"]).execute(connection)
        shifted = {**third, "due": third["due"] + timedelta(hours=1), "message_id": "x"}
        LedgerRow.insert(shifted).execute(connection)
        LedgerRow.insert({**shifted, "due": third["due"] + timedelta(hours=2), "tzdata": "1999a"}).execute(connection)

    world.database.transaction(damage)

    assert [(found.kind, found.due) for found in world.verify(began).findings] == [
        ("hole", first["due"]),
        ("double", second["due"]),
        ("double", third["due"] + timedelta(hours=1)),
        ("tzdata", third["due"] + timedelta(hours=2)),
    ]


def test_when_all_schedulers_are_dead_their_due_times_are_holes(world):
    began = world.now
    world.play(DAYS, began + DAY, timedelta(hours=3))
    world.now += DAY

    assert {found.detail for found in world.verify(began).findings} == {"no scheduler has planned it"}


def test_the_list_shows_the_next_due_time_and_the_last_outcome(world):
    world.play(DAYS, world.now + DAY, timedelta(hours=3))
    jobs = {job.job: job for job in Overview(world.database, JOBS, world.zone, clock=world.clock).jobs()}

    daily = jobs["statistics.aggregate_daily"]
    assert daily.next_due == datetime(2026, 3, 9, 4, 5, tzinfo=UTC)
    assert daily.last.outcome == "late"  # the world looks at the clock every three hours
    assert daily.registered
    assert jobs["sweep"].where == "every node"
    assert not jobs["health.check_all_agents"].registered
