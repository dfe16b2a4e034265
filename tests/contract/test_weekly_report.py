"""The weekly report on both databases: the counts of one week, one row however often it is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.weekly_report import WeeklyReports

SEOUL = ZoneInfo("Asia/Seoul")
MONDAY = datetime(2026, 11, 23, tzinfo=SEOUL)
BOTTLE = VisionAnswer(category="plastic", item="pet_bottle", state="clean", confidence=0.9)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.services)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    url = request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    database = open_database(url, default_path=tmp_path / "central.db", pool_size=2, timeout=10)
    upgrade(database, SCHEMA)
    yield database
    database.close()


def made(database: Database, name: str, at: datetime) -> Analyses:
    analyses = Analyses(database, clock=lambda: at)
    analyses.accept(name, "user")
    return analyses


def test_a_week_is_counted_from_monday_to_monday_of_its_zone(database: Database) -> None:
    for number, at in enumerate((MONDAY, MONDAY + timedelta(days=7, microseconds=-1))):
        made(database, f"in-{number}", at).classified(f"in-{number}", BOTTLE, "m")
    for number, at in enumerate((MONDAY - timedelta(microseconds=1), MONDAY + timedelta(days=7))):
        made(database, f"out-{number}", at)
    made(database, "failed", MONDAY + timedelta(days=3)).failed(
        "failed", stage="vision", code="retries_exhausted", params={}, sentence="…"
    )
    reports = WeeklyReports(database, SEOUL)
    since, until = MONDAY.astimezone(UTC), (MONDAY + timedelta(days=7)).astimezone(UTC)

    for _ in range(2):
        report = database.transaction(lambda connection: reports.write(connection, since, until))

    assert reports.all() == [report]
    assert (report.week, report.zone, report.analyses) == ("2026-W48", "Asia/Seoul", 3)
    assert report.by_status == {"classified": 2, "failed": 1}
    assert report.by_category == {"plastic": 2}
    assert report.by_item == {"plastic/pet_bottle/clean": 2}
    assert report.failures == {"vision/retries_exhausted": 1}


def test_a_week_without_anything_has_a_row_too(database: Database) -> None:
    reports = WeeklyReports(database, SEOUL)
    report = database.transaction(lambda one: reports.write(one, MONDAY, MONDAY + timedelta(days=7)))

    assert report.analyses == 0
    assert reports.all()[0].by_status == {}
