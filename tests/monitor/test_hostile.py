"""Names and messages that are hostile: every page and every route answers, as text, and in strict JSON."""

from __future__ import annotations

import csv
import io
import json
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from tests.monitor.data import ODD_NAMES, ODD_PAYLOADS, XSS

PAGES = (
    "/", "/tasks", "/errors", "/analyses", "/workers", "/queues", "/dead-letters", "/schedule", "/money", "/batches",
    f"/batches/{quote(XSS, safe='')}", "/batches/b-sent", "/money?by=tier", "/health",
    "/statistics", "/audit", "/proof",
)  # fmt: skip
ROUTES = (
    "tasks", "overview", "task-counts", "queues", "workers", "error-groups", "dead-letters", "limits", "breakers",
    "budgets", "usage", "schedule", "schedule/ledger", "analyses", "health", "health/changes", "statistics", "reports",
    "archives", "audit", "me", "openapi.json", "batches", "batches/b-sent", f"batches/{quote(XSS, safe='')}",
    "usage?by=tier",
)  # fmt: skip

#: What a page may be, in bytes.
LARGEST = 300_000


class Tags(HTMLParser):
    """Collects what a browser would run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.runs += [name for name, _ in attributes if name.startswith("on") or name == "style"]
        inner = dict(attributes)
        self.seen.append(inner.get("title") or "")
        if tag == "script" and not (inner.get("src") or "").startswith("/static/"):
            self.runs.append("script")
        self.runs += [str(inner[name]) for name in ("href", "src") if (inner.get(name) or "").startswith("javascript:")]

    def handle_data(self, data: str) -> None:
        self.seen.append(data)


def check_page(text: str) -> None:
    tags = Tags()
    tags.feed(text)
    assert tags.runs == []
    assert len(text.encode()) < LARGEST
    assert not {"\u202e", "\u2066"} & set("".join(tags.seen))


def refuse(name: str) -> None:
    raise AssertionError(f"{name} is no strict JSON")


def strict_json(content: bytes) -> object:
    return json.loads(content.decode("utf-8", "strict"), parse_constant=refuse)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("language", ["en", "ko"])
def test_pages_show_text_as_text(reader: httpx.Client, page, language):
    answer = reader.get(page, headers={"accept-language": language})

    assert answer.status_code == 200
    check_page(answer.text)


@pytest.mark.parametrize("route", ROUTES)
def test_routes_answer_in_strict_json(reader: httpx.Client, route):
    answer = reader.get(f"/api/v2/{route}")

    assert answer.status_code == 200
    strict_json(answer.content)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_work_in_every_link(reader: httpx.Client, name):
    task_id = f"odd-{name}"
    for address in (f"/tasks/{quote(task_id, safe='')}", f"/dead-letters/{quote('letter-' + task_id, safe='')}"):
        answer = reader.get(address)
        assert answer.status_code == 200, address
        check_page(answer.text)
        answer = reader.get(f"/api/v2{address}")
        assert answer.status_code == 200
        strict_json(answer.content)
    for field in ("actor", "queue", "node"):
        found = reader.get("/api/v2/tasks", params={field: name}).json()["tasks"]
        assert [each["task_id"] for each in found] == [task_id]
        check_page(reader.get("/tasks", params={field: name}).text)


@pytest.mark.parametrize("number", range(len(ODD_PAYLOADS)))
def test_odd_messages_are_shown_within_bounds(reader: httpx.Client, number):
    answer = reader.get(f"/tasks/payload-{number}")
    assert answer.status_code == 200
    check_page(answer.text)

    told = reader.get(f"/api/v2/tasks/payload-{number}")
    message = strict_json(told.content)["message"]  # type: ignore[index]
    assert message["length"] == len(ODD_PAYLOADS[number])
    assert len(told.content) < LARGEST

    whole = reader.get(f"/api/v2/task-texts/message/payload-{number}")
    assert whole.text == ODD_PAYLOADS[number]


def test_64_bits_keep_their_digits(reader: httpx.Client):
    assert "1970670598291982290" in reader.get("/tasks/payload-1").text


@pytest.mark.parametrize(
    "text", [XSS, '" autofocus onfocus=alert(1) x="', "(", "\0", "a" * 1999, "args:\ud83d", "%_\\"]
)
def test_searches_are_text(reader: httpx.Client, text):
    encoded = text.encode("utf-8", "surrogatepass").decode("latin-1")
    answer = reader.get("/tasks?q=" + quote(encoded, encoding="latin-1"))

    assert answer.status_code == 200
    check_page(answer.text)


def test_lists_never_hold_messages(reader: httpx.Client):
    for address in ("/tasks", "/api/v2/tasks?limit=1000", "/dead-letters", "/api/v2/dead-letters?limit=1000"):
        assert "xxxxxxxxxx" not in reader.get(address).text
        assert "s3://growbin" not in reader.get(address).text


def test_an_export_needs_a_reason_and_no_cell_is_a_formula(reader: httpx.Client):
    assert reader.get("/api/v2/export/tasks").status_code == 422
    assert reader.get("/api/v2/export/tasks", params={"reason": " "}).status_code == 400

    answer = reader.get("/api/v2/export/tasks", params={"reason": "test of exports"})
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert len(rows) == 1 + reader.get("/api/v2/tasks?limit=1").json()["total"]["number"]
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    [latest] = reader.get("/api/v2/audit", params={"action": "tasks.exported", "limit": 1}).json()
    assert latest["reason"] == "test of exports"


@pytest.mark.parametrize(
    ("name", "inside", "chosen"),
    [("dead-letters", "letters", {"code": "retries_exhausted"}), ("analyses", "analyses", {"status": "completed"})],
)
def test_other_lists_are_exported_as_they_are_filtered(reader: httpx.Client, name: str, inside: str, chosen: Any):
    for filters in ({}, chosen):
        listed = reader.get(f"/api/v2/{name}", params={"limit": 1000} | filters).json()[inside]
        asked = {"reason": "test of exports", "format": "jsonl"} | filters
        answer = reader.get(f"/api/v2/export/{name}", params=asked)
        assert [json.loads(line)["id"] for line in answer.text.splitlines()] == [each["id"] for each in listed]
        assert listed
    rows = list(csv.reader(io.StringIO(reader.get(f"/api/v2/export/{name}?reason=why").content.decode("utf-8-sig"))))
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]
    action = f"{name.replace('-', '_')}.exported"
    assert reader.get("/api/v2/audit", params={"action": action, "limit": 1}).json()[0]["reason"] == "why"


def test_an_open_analysis_is_one_look(reader: httpx.Client):
    for _ in range(3):
        assert reader.get("/analyses/an000001").status_code == 200

    looks = reader.get("/api/v2/audit", params={"action": "analysis.seen", "target": "an000001"}).json()
    assert len(looks) == 1
    assert looks[0]["whose"].startswith("user-")
