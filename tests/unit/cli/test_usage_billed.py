"""``growbin-jobs usage --billed`` against a stand-in of the costs API."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from growbin_jobs.adapters.llm.billing import billed_days
from growbin_jobs.errors import ConfigurationError, Deferred
from growbin_jobs.limits.usage import LlmUsage, insert
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database


def today() -> date:
    """The day in which a test runs, which need not be that in which it was collected."""
    return datetime.now(UTC).date()


class Costs:
    """The costs API: two buckets a page."""

    def __init__(self) -> None:
        self.dollars: dict[date, list[Any]] = {}
        self.status, self.body, self.asked = 200, None, []
        costs = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                costs.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(request.path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append((parts.path, request.headers["authorization"], asked))
        begin, end = (int(asked[name]) for name in ("start_time", "end_time"))
        days = sorted(day for day in self.dollars if begin <= seconds(day) < end)
        first = int(asked.get("page", 0))
        data = [
            {"object": "bucket", "start_time": seconds(day), "end_time": seconds(day) + 86_400,
             "results": [{"amount": {"value": value, "currency": "usd"}} for value in self.dollars[day]]}
            for day in days[first : first + 2]
        ]  # fmt: skip
        more = first + 2 < len(days)
        document = {"object": "page", "data": data, "has_more": more, "next_page": str(first + 2) if more else None}
        body = json.dumps(document).encode() if self.body is None else self.body
        request.send_response(self.status)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


def seconds(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp())


@pytest.fixture
def costs() -> Iterator[Costs]:
    costs = Costs()
    yield costs
    costs.server.shutdown()
    costs.server.server_close()


def test_all_pages_are_read_and_amounts_are_exact(costs: Costs) -> None:
    now = today()
    costs.dollars = {now - timedelta(days=ago): [0.1, "0.2"] for ago in range(5)}

    assert billed_days(costs.url, "admin", now - timedelta(days=4), now) == dict.fromkeys(costs.dollars, 300_000)
    assert [asked.get("page") for _, _, asked in costs.asked] == [None, "2", "4"]
    assert {(path, key) for path, key, _ in costs.asked} == {("/v1/organization/costs", "Bearer admin")}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, b"{}", ConfigurationError), (403, b"{}", ConfigurationError), (404, b"{}", ConfigurationError),
        (500, b"{}", Deferred), (200, b"<html>", Deferred), (200, b"[]", Deferred),
        (200, b'{"data": [{"start_time": 1, "results": [{"amount": {"value": "much"}}]}]}', Deferred),
    ],
)  # fmt: skip
def test_what_is_no_answer_is_said_so(costs: Costs, status: int, body: bytes, error: type[Exception]) -> None:
    costs.status, costs.body = status, body
    with pytest.raises(error) as caught:
        billed_days(costs.url, "sk-admin-secret", today(), today())
    assert "sk-admin" not in str(caught.value)


@pytest.mark.parametrize(("billed", "code"), [("1.00", 0), ("1.019", 0), ("1.05", 1), ("0.9", 1)])
def test_a_day_that_differs_from_the_bill_is_told(invoke, tmp_path, monkeypatch, costs: Costs, billed, code) -> None:
    monkeypatch.setenv("OPENAI_ADMIN_KEY", "admin")
    monkeypatch.setenv("OPENAI_BASE_URL", costs.url)
    now = today()
    yesterday = now - timedelta(days=1)
    row = dict.fromkeys(field.name for field in LlmUsage._meta.sorted_fields) | {
        "id": "r", "sent_at": datetime.combine(yesterday, time(23, 59), UTC), "day": str(yesterday), "node": "n",
        "purpose": "vision", "model": "m", "outcome": "answered", "billed": "yes", "latency_ms": 1, "cost": 1_000_000,
    }  # fmt: skip
    insert(central_database(load(data_dir=tmp_path / "data")), [row])
    # Today is not over, so that it may differ.
    costs.dollars = {yesterday: [billed], now: [7]}

    done = invoke("usage", "--billed", "--since", str(yesterday), "--json")

    assert done.exit_code == code
    days = json.loads(done.stdout)
    assert [(each["day"], each["ours"], each["differs"]) for each in days] == [
        (str(yesterday), 1_000_000, bool(code)), (str(now), 0, True),
    ]  # fmt: skip
    assert invoke("usage", "--billed", "--since", str(yesterday)).exit_code == code


def test_without_an_admin_key_it_says_what_is_missing(invoke) -> None:
    done = invoke("usage", "--billed")
    assert done.exit_code != 0
    assert "OPENAI_ADMIN_KEY" in str(done.exception)
