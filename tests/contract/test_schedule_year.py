"""The whole table in virtual time around each change of the clocks in six zones; a year is ``scripts/virtual_year``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from tests.contract.conftest import empty_tables
from tests.virtual_schedule import ZONES, VirtualSchedule
from tests.whole import WHOLE

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.scheduler.table import ONCE

YEAR = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def changes(zone: ZoneInfo) -> list[datetime]:
    """The days of a year in which the zone's clock is set; the first of a month where it never is."""
    days = [YEAR + number * DAY for number in range(365)]
    found = [day for day in days if day.astimezone(zone).utcoffset() != (day + DAY).astimezone(zone).utcoffset()]
    return found or [YEAR + 30 * DAY]


def test_each_due_time_has_one_effect_wherever_clocks_are_set(schedule_database: Database) -> None:
    slow = [job for job in ONCE if not isinstance(job.when, Every)]
    every = ZONES if WHOLE else ZONES[2:]  # those that set their clocks oddly
    for name in every if schedule_database.dialect == "sqlite" else ZONES[2:3]:
        zone = ZoneInfo(name)
        for change in changes(zone):
            empty_tables(schedule_database, ("growbin_jobs.scheduler",))
            world = VirtualSchedule(schedule_database, slow, zone, change - DAY / 2)

            dues = world.run(change + DAY)

            assert (len(world.effects), set(world.effects.values())) == (dues, {1}), name
            assert world.findings(change - DAY / 2, change + DAY) == [], name
            assert dues >= 2
