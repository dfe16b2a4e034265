"""The frame of all pages, in a real browser: signing in, keys, themes, phones, prefixes, live in many tabs."""

import base64
import html
import json
import re
import signal
import socket
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import expect
from tests.e2e.monitor.accessibility import Accessibility
from tests.unit.monitor.conftest import HASH, PASSWORD

from growbin_jobs import settings as _settings
from growbin_jobs.engine.central.workers import WorkerRow
from growbin_jobs.models.audit import Audit, AuditEntry
from growbin_jobs.models.audit_check import verify_chain
from growbin_jobs.monitor.bootstrap import make_services

PAGES = ["", "access", "api/v2/docs", "sign-in/link"]

#: What Chromium says of a page that answers a wrong secret.
REFUSED = "console: Failed to load resource: the server responded with a status of 401 (Unauthorized)"

PHONE = {"viewport": {"width": 390, "height": 780}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


def test_pages_ask_nobody_else_break_no_policy_and_are_accessible_on_a_phone(insecure, watch):
    page = watch(insecure, **PHONE).page()
    accessibility = Accessibility(page)

    for path in PAGES:
        assert page.goto(insecure.url + path).status == 200
        width = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert width[0] <= width[1], f"{path} scrolls sideways"
        assert accessibility.faults() == [], path


@pytest.fixture(scope="module")
def closed(start_monitor):
    """A monitor with a link for one sign-in, and with a person who has a password."""
    return start_monitor("--sign-in-link", GROWBIN_MONITOR_USERS=f"kim:operator:{HASH}")


def test_a_link_for_one_sign_in_opens_a_session_until_signing_out(closed, watch):
    watched = watch(closed)
    page = watched.page()

    page.goto(closed.url)
    expect(page.locator("h1")).to_have_text("Sign in")
    page.goto(closed.link)
    assert "#" not in page.evaluate("location.href")  # the secret has left the address
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_have_text("Overview")
    page.locator(".person summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator("h1")).to_have_text("Sign in")
    page.goto(closed.link)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("used already")
    watched.faults.remove(REFUSED)


def test_keys_lead_everywhere_and_the_sheet_names_them(insecure, watch):
    page = watch(insecure).page()
    page.goto(insecure.url)

    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys")).to_contain_text("Overview")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.locator("h1")).to_have_text("Access")
    before = page.evaluate("getComputedStyle(document.body).color")
    page.keyboard.press("t")
    assert page.evaluate("getComputedStyle(document.body).color") != before
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_language_is_chosen_and_kept(insecure, watch):
    page = watch(insecure).page()
    page.goto(insecure.url + "access")

    page.get_by_role("button", name="한국어").click()

    expect(page.locator("h1")).to_have_text("접근 권한")
    page.goto(insecure.url)
    expect(page.locator("h1")).to_have_text("현황")


def test_without_scripts_everything_can_be_read_and_reached(insecure, watch):
    page = watch(insecure, java_script_enabled=False, **{key: PHONE[key] for key in ("viewport", "is_mobile")}).page()
    page.goto(insecure.url)

    page.locator(".menu-button").click()
    page.get_by_role("link", name="Access").click()

    expect(page.locator("h1")).to_have_text("Access")


def services_of(folder: Path):
    return make_services(_settings.load(data_dir=folder))


def seen_worker(services, name: str) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC)
    row = {
        "node": name, "group_name": "ai", "version": "1", "pids": [], "processes": 1, "threads": 1, "queues": [],
        "running": 0, "unsynced": 0, "owed": 0, "lag": 0.0, "started_at": now, "seen_at": now,
    }  # fmt: skip
    services.database.run(lambda connection: WorkerRow.insert(row).execute(connection))


HOSTILE = '"><svg onload=alert(1)>\u202egnp.exe<script>alert(2)</script>'


#: More than a browser opens connections to a server, which are six.
TABS = 7


def test_many_tabs_are_live_by_one_stream_and_a_new_leader_takes_over(insecure, watch):
    watched = watch(insecure)
    streams = []
    watched.context.on(
        "request", lambda request: streams.append(request.url) if "/live/stream" in request.url else None
    )
    tabs = [watched.page() for _ in range(TABS)]
    for tab in tabs:
        tab.goto(insecure.url + "workers")
    for tab in tabs:
        expect(tab.locator("#live")).to_have_attribute("data-state", "on")
    assert len(streams) == 1

    services = services_of(insecure.folder)
    seen_worker(services, HOSTILE)
    for tab in tabs:
        expect(tab.locator("#workers")).to_contain_text('"><svg onload=alert(1)>')
    tabs[0].close()  # it was the first, so it had the lock
    expect(tabs[1].locator("#live")).to_have_attribute("data-state", "on")
    seen_worker(services, "after")
    for tab in tabs[1:]:
        expect(tab.locator("#workers")).to_contain_text("after", timeout=30_000)
    services.close()


def test_a_stream_ends_with_its_session(closed, watch):
    watched = watch(closed)
    page = watched.page()
    page.goto(closed.url)
    page.locator("input[name=name]").fill("kim")
    page.locator("input[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#live")).to_have_attribute("data-state", "on")

    services = services_of(closed.folder)
    [session] = [each for each in services.sessions.all() if each.name == "kim"]
    services.sessions.end(session.id)  # as another process does it
    services.close()

    expect(page.locator("h1")).to_have_text("Sign in", timeout=30_000)
    # A part of the page may have asked for itself between the end of the session and that of the stream.
    watched.faults[:] = [fault for fault in watched.faults if fault != REFUSED]


def test_a_term_with_200_open_streams_ends_the_monitor_within_its_grace(start_monitor):
    monitor = start_monitor("--insecure")
    port = int(re.search(r":(\d+)/", monitor.url)[1])

    def stream(_: int) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", port), 30)
        connection.sendall(b"GET /live/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        got = b""
        while b"event: changed" not in got:
            got += connection.recv(4096)
        assert b"x-accel-buffering: no" in got.lower()
        return connection

    with ThreadPoolExecutor(20) as pool:
        streams = list(pool.map(stream, range(200)))
    monitor.process.send_signal(signal.SIGTERM)

    assert monitor.process.wait(30) == 0
    assert "Traceback" not in monitor.process.stderr.read()
    for each in streams:
        each.close()


def test_ipv6_is_listened_on_and_a_prefix_works_with_and_without_slash_on_every_link(start_monitor):
    monitor = start_monitor("--insecure", "--host", "::1", "--url-prefix", "flower/")
    root = monitor.url.rstrip("/")
    assert root.startswith("http://[::1]:")
    assert root.endswith("/flower")
    with urllib.request.urlopen(f"{root}/healthz", timeout=20) as answer:
        assert answer.read() == b"OK"

    seen, waiting = set(), [root, f"{root}/"]
    while waiting:
        address = waiting.pop()
        if address in seen:
            continue
        seen.add(address)
        with urllib.request.urlopen(address, timeout=30) as answer:
            if answer.headers.get_content_type() != "text/html":
                continue
            found = re.findall(r"<a\b[^>]*?\shref=\"?([^\"\s>]+)", answer.read().decode())
            links = [urllib.parse.urljoin(answer.url, html.unescape(link)) for link in found]
        assert [link for link in links if not link.startswith(root)] == []
        waiting += [re.split("[?#]", link)[0] for link in links]  # each page once, not for every minute of the past
    assert {f"{root}/access", f"{root}/api/v2/docs", f"{root}/api/v2/openapi.json"} <= seen


def test_a_unix_socket_and_a_password_by_http_basic(start_monitor, tmp_path):
    path = tmp_path / "m.sock"
    start_monitor("--unix-socket", str(path), GROWBIN_MONITOR_USERS=f"kim:operator:{HASH}")
    assert path.stat().st_mode & 0o777 == 0o660

    credentials = base64.b64encode(f"kim:{PASSWORD}".encode()).decode()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        head = f"GET /api/v2/me HTTP/1.0\r\nHost: localhost\r\nAuthorization: Basic {credentials}\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))

    assert json.loads(answer.partition(b"\r\n\r\n")[2])["name"] == "kim"


def test_a_row_that_somebody_changes_in_the_database_is_found(start_monitor):
    monitor = start_monitor("--insecure")
    services = services_of(monitor.folder)
    for number in range(3):
        Audit(services.database).append(AuditEntry(who="kim", action="photo.seen", target=str(number)))
    services.database.transaction(lambda one: one.execute_sql("UPDATE audit SET who = 'lee' WHERE number = 2"))

    assert verify_chain(services.audit).wrong == "Row 2 was changed after it was written."
    services.close()
