"""The weekly report on both databases: the counts of one week, one row however often it is written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from tests.upgraded import upgrade

from growbin_jobs.adapters.objects.folder import FolderStore
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.messages import Advice, VisionAnswer
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.weekly_report import WeeklyReports
from growbin_jobs.operations.reports.pages import ReportPages

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


def test_latency_and_cost_are_counted_and_pages_compare_with_the_week_before(
    database: Database, tmp_path: Path
) -> None:
    """The median is at most 2 % away from the exact one."""
    for number in range(1, 12):
        made(database, f"a{number}", MONDAY).classified(f"a{number}", BOTTLE, "m")
        ended = Analyses(database, clock=lambda number=number: MONDAY + timedelta(seconds=number))  # type: ignore[misc]
        ended.completed(f"a{number}", Advice(text="Rinse it.", language="en", source="rule", model="m"))
    made(database, "bad", MONDAY).failed(
        "bad", stage="vision", code="model_refused", params={}, sentence="<script>alert(1)</script>"
    )
    usage = {"sent_at": MONDAY, "day": "2026-11-23", "node": "n1", "purpose": "vision", "model": "m",
             "outcome": "answered", "billed": "yes", "latency_ms": 5}  # fmt: skip
    rows = [{"id": "u1", "cost": 1_500_000, **usage}, {"id": "u2", "cost": None, **usage}]
    database.run(lambda one: LlmUsage.insert_many(rows).execute(one))
    reports, pages = WeeklyReports(database, SEOUL), ReportPages(FolderStore(tmp_path))
    before = MONDAY - timedelta(days=7)
    made(database, "old", before)
    old = database.transaction(lambda one: reports.write(one, before, MONDAY))

    report = database.transaction(lambda one: reports.write(one, MONDAY, MONDAY + timedelta(days=7)))
    addresses = pages.put(report, reports.before(report.since))

    assert report.latency is not None
    assert report.latency["p50"] == pytest.approx(6, rel=0.0201)
    assert (report.requests, report.cost) == (2, 1_500_000)
    assert reports.before(report.since) == old
    assert reports.of_week("2026-W48") == report
    assert [each.rpartition("/")[2] for each in addresses] == [
        "report.ko.md", "report.ko.html", "report.en.md", "report.en.html",
    ]  # fmt: skip
    english, korean = (pages.get("2026-W48", language, "md") for language in ("en", "ko"))
    assert "| Analyses | 12 | 1 | \\+1100 % |" in english
    assert "| Cost in dollars | 1.50 | 0.00 | – |" in english
    assert "model\\_refused: The model declined" in english
    assert "플라스틱 / pet\\_bottle / 깨끗함" in korean
    assert "| 비용(달러) | 1.50 |" in korean
    page = pages.get("2026-W48", "en", "html")
    assert '<rect width="160"' in page
    assert "<script" not in page
