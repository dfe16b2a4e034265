"""Every page of the monitor in a real browser: ordinary and hostile rows, dark, on a phone, live."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, ViewportSize
from tests.e2e.monitor.accessibility import Accessibility
from tests.e2e.monitor.conftest import Monitor
from tests.monitor.data import XSS, fill, fill_with_oddities, put, task

from growbin_jobs.alerts.views import send_test
from growbin_jobs.alerts.webhooks import Webhooks
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.services import Services
from growbin_jobs.settings import Settings

#: A letter whose name is a script.
LETTER = "dead-letters/letter-odd-%3Cscript%3Ex%3C%2Fscript%3E"

PAGES = (
    "", "tasks", "tasks/failed-00000", "tasks/payload-2", "tasks?q=(state:dead", "errors", "analyses",
    "analyses/an000001", "workers", "queues", "dead-letters", LETTER, "schedule", "money",
    "health", "statistics", "audit", "audit/review?month=2026-11", "webhooks", "proof",
    "access", "api/v2/docs", "sign-in/link",
)  # fmt: skip


@pytest.fixture(scope="module")
def odd_monitor(
    start_monitor: Callable[..., Monitor], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Monitor, Services]:
    """A monitor with some hours of work and with what is hostile in every name."""
    folder: Path = tmp_path_factory.mktemp("pages")
    services = make_services(Settings(data_dir=folder, language="en"))
    fill(services.database, analyses=30)
    fill_with_oddities(services.database)
    hook = Webhooks(services.database).add(
        "ops", "https://hooks.example.com/x", secret_ref="env:WEBHOOK_SECRET", rules={"budget": 80}, by=XSS
    )
    send_test(services.database, hook)
    return start_monitor("--insecure", folder=folder), services


FITS = "() => document.documentElement.scrollWidth <= document.documentElement.clientWidth"

DESK, PHONE = ViewportSize(width=1280, height=720), ViewportSize(width=390, height=844)


def seen(page: Page, monitor: Monitor, path: str) -> None:
    """Go to a page: it has a heading, and fits the size of the tab, and then the other one of a desk and a phone."""
    page.goto(monitor.url + path)
    assert page.locator("h1").count() == 1, path
    assert page.evaluate(FITS), path
    page.set_viewport_size(DESK if page.viewport_size == PHONE else PHONE)
    page.wait_for_function(FITS)  # charts are drawn anew a moment later


def test_every_page_is_accessible_fits_a_phone_too_and_breaks_no_policy(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor).page()
    accessibility = Accessibility(page, themes=("light", "dark"))
    for path in PAGES:
        page.set_viewport_size(PHONE)  # of the page before, of which little is left
        seen(page, monitor, path)
        assert accessibility.faults() == [], path


def test_every_page_fits_in_korean_and_breaks_no_policy_in_the_dark(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor, color_scheme="dark", locale="ko-KR", viewport=DESK).page()
    for path in PAGES:
        seen(page, monitor, path)
        assert page.locator("html").get_attribute("lang") == "ko", path


def test_charts_are_drawn_and_their_numbers_are_a_table(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor).page()
    page.goto(monitor.url)

    assert page.locator("[data-chart] canvas").count() == page.locator("[data-chart]").count() >= 2
    page.get_by_text("Numbers as a table").click()
    assert page.locator("#minutes tbody tr").count() == 60


def test_times_are_of_the_reader_s_zone_with_utc_and_the_zone_s_name_beside(odd_monitor, watch):
    monitor, services = odd_monitor
    # An hour that comes twice in New York, and a start before its creation: the clocks of two nodes differ.
    twice = (datetime(2026, 11, 1, 5, 30, 5, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, 5, tzinfo=UTC))
    for number, at in enumerate(twice):
        row = task(f"twice-{number}", at, started_at=at - timedelta(seconds=90), completed_at=at)
        put(services.database, TaskRow, [row])
    page = watch(monitor, timezone_id="America/New_York").page()
    for number, at in enumerate(twice):
        page.goto(f"{monitor.url}tasks/twice-{number}")
        created = page.locator("time").first
        assert created.inner_text().endswith("01:30:05")
        assert created.get_attribute("datetime") == at.isoformat(timespec="milliseconds")
        title = str(created.get_attribute("title"))
        assert "America/New_York" in title
        assert f"{at:%Y-%m-%d %H:%M:%S} UTC" in title
        assert "-" not in page.locator("dl.fields").last.inner_text()  # no wait below zero
    page.goto(monitor.url)
    assert page.locator(".time-machine .zone").inner_text() == "Asia/Seoul"  # of what is typed


def test_a_search_is_an_address_and_keeps_its_words(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor).page()
    page.goto(monitor.url + "tasks")
    page.get_by_role("searchbox").fill("state:dead -actor:upload_image")
    page.get_by_role("searchbox").press("Enter")
    page.wait_for_url("**/tasks?*q=state*")

    assert page.get_by_role("searchbox").input_value() == "state:dead -actor:upload_image"
    assert page.locator("table.tasks tbody tr").count() > 0
    assert page.locator("table.tasks .state:not(.bad)").count() == 0


def test_a_new_task_appears_by_itself(odd_monitor, watch):
    monitor, services = odd_monitor
    page = watch(monitor).page()
    page.goto(monitor.url + "tasks?actor=brand.new")
    page.locator("#live[data-state=on]").wait_for()
    put(services.database, TaskRow, [task("brand-new", datetime.now(UTC), task_name="brand.new")])
    page.locator("table.tasks tbody tr").wait_for(timeout=20_000)
    assert "brand.new" in page.locator("table.tasks tbody").inner_text()


def test_links_of_odd_names_lead_to_their_tasks(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor).page()
    page.goto(monitor.url + "tasks?state=dead&q=broken")
    rows = page.locator("table.tasks tbody tr a")
    addresses = [rows.nth(number).get_attribute("href") for number in range(rows.count())]
    assert len(addresses) == 5
    names = []
    for address in addresses:
        answer = page.goto(monitor.url.rstrip("/") + str(address))
        assert answer is not None
        assert answer.status == 200
        names.append(page.locator("h1").inner_text())
    assert XSS in names
    assert "foo/bar.baz?x#y %2F 한글 🧪" in names


def test_pages_can_be_read_without_scripts(odd_monitor, watch):
    monitor, _ = odd_monitor
    page = watch(monitor, java_script_enabled=False).page()
    for path in ("", "tasks", "errors", "workers"):
        page.goto(monitor.url + path)
        assert page.locator("tbody tr, article").count() > 0
