"""Acting in a real browser, with and without scripts: retry, discard, undo, run again, edit, a bulk job to its end."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import expect
from tests.contract.test_bulk import letter
from tests.e2e.monitor.accessibility import Accessibility
from tests.monitor.data import put, task
from tests.upgraded import upgrade

from growbin_jobs.engine.central.dead_letter_rows import DeadLetterRow
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.keeper.bulk import WorkBulk
from growbin_jobs.models import SCHEMA

PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True}

#: Of so many the number must be typed; it is more than a page shows, and than one step of a bulk job takes.
MANY = 101
FEW = 6


@pytest.fixture(scope="module")
def installed(start_monitor, tmp_path_factory):
    folder = tmp_path_factory.mktemp("acting")
    opened = open_database(None, default_path=folder / "central.db", pool_size=4, timeout=10)
    upgrade(opened, SCHEMA)
    yield start_monitor("--insecure", folder=folder), opened
    opened.close()


@pytest.fixture
def monitor(installed):
    return installed[0]


@pytest.fixture
def database(installed, request):
    """A database with some letters, or as many as the test asks for, and nothing else."""
    _, opened = installed
    for table in ("bulk_items", "bulk_jobs", "dead_letters", "tasks"):
        opened.run(lambda connection, table=table: connection.execute_sql(f"DELETE FROM {table}"))
    now = datetime.now(UTC)
    count = getattr(request, "param", FEW)
    rows = [letter(number, died_at=now - timedelta(seconds=number)) for number in range(count)]
    put(opened, DeadLetterRow, rows)
    texts = [(row["task_id"], row["body"].decode()) for row in rows[:3]]
    names = {"task_name": "analyze_image", "queue_name": "q", "status": "dead"}
    put(opened, TaskRow, [task(task_id, now, payload=text, **names) for task_id, text in texts])
    return opened


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_one_letter_after_the_other(monitor, database, watch, scripts):
    page = watch(monitor, java_script_enabled=scripts).page()
    here = f"{monitor.url}dead-letters?actor=analyze_image"

    page.goto(here)
    page.locator("form[action$='/act/letters/retry'] button").first.click()
    expect(page.locator(".said")).to_have_text("It runs once more, under the same id.")
    assert page.url == here
    assert [each.task_id for each in DeadLetters(database).taken(now=datetime.now(UTC))] == ["t0"]

    page.locator("tbody tr").first.locator("summary", has_text="Discard").click()
    page.locator("form[action$='/act/letters/discard'] button:visible").first.click()
    expect(page.locator(".said")).to_contain_text("It is discarded in 30 seconds.")
    page.locator(".said button", has_text="Undo").click()
    expect(page.locator(".said")).to_have_text("It is open again.")
    assert DeadLetters(database).count_open() == FEW - 1

    page.goto(f"{monitor.url}tasks/t1")
    page.locator("summary", has_text="Run again").click()
    page.locator("form[action$='/act/tasks/run-again'] button").click()
    expect(page.locator(".said")).to_contain_text("It runs again as")
    expect(page.locator("h2", has_text="Runs of the same task")).to_be_visible()

    page.get_by_role("link", name="Edit and run").click()
    page.locator("textarea[name=args]").fill(json.dumps(["a2", "s3://b/other"]))
    page.get_by_role("button", name="Run it").click()
    expect(page.locator(".said")).to_contain_text("takes the place of this one")


@pytest.mark.parametrize("database", [MANY], indirect=True, ids=["many"])
def test_a_bulk_job_from_its_preview_to_its_end(monitor, database, watch, monkeypatch):
    page = watch(monitor).page()
    page.goto(f"{monitor.url}dead-letters")
    page.get_by_role("button", name="Retry all").click()
    expect(page.locator("h1")).to_have_text("Preview")
    expect(page.locator(".figure dd").first).to_have_text(str(MANY))
    page.locator("main input[name=name]").fill("after the outage")
    page.locator("main input[name=typed]").fill(str(MANY))
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#job .head")).to_contain_text("begins soon")

    database.run(lambda connection: connection.execute_sql("UPDATE bulk_jobs SET begins_at = 0"))
    monkeypatch.setattr("growbin_jobs.engine.keeper.bulk.TURN", 0.0)  # one step a run
    WorkBulk(database, "one").run_once()
    expect(page.locator("#job .head .state")).to_have_text("running")  # by itself
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".said")).to_have_text("It rests.")
    assert WorkBulk(database, "one").run_once() == {}
    page.get_by_role("button", name="Resume").click()
    expect(page.locator(".said")).to_have_text("It goes on.")
    while WorkBulk(database, "two").run_once():
        pass
    expect(page.locator("#job .head .state")).to_have_text("ended")
    assert DeadLetters(database).count_open() == 0
    page.goto(f"{monitor.url}bulk")
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody")).to_contain_text(re.compile(rf"{MANY} / {MANY}"))


FITS = "() => document.documentElement.scrollWidth <= innerWidth"


def test_pages_of_acts_are_accessible_and_fit(monitor, database, watch):
    phone, desk = watch(monitor, **PHONE).page(), watch(monitor, color_scheme="dark", locale="ko-KR").page()
    accessibility = Accessibility(phone, themes=("light", "dark"))

    phone.goto(f"{monitor.url}dead-letters")
    phone.locator("form[action$='/act/bulk/preview'] button").first.click()
    for path in (phone.url, f"{monitor.url}edit/t1", f"{monitor.url}tasks/t1", f"{monitor.url}dead-letters"):
        for page in (phone, desk):
            page.goto(path)
            if page.locator("details.popover summary:visible").count():
                page.locator("details.popover summary:visible").first.click()
            assert page.evaluate(FITS), f"{path} scrolls sideways"
        assert accessibility.faults() == [], path
