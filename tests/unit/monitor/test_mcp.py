"""The Model Context Protocol: tools see what the API's routes show to the same person, and nothing is changed."""

import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from anyio.from_thread import BlockingPortal
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.monitor.data import letter, put, task
from tests.unit.monitor.client import Client
from tests.unit.monitor.conftest import CLOSED, PASSWORD
from tests.upgraded import upgrade

from growbin_jobs import settings as _settings
from growbin_jobs.engine.central.dead_letters import DeadLetterRow
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.people import Grant
from growbin_jobs.monitor.services import Services
from growbin_jobs.monitor.stdio import serve

NOW = datetime(2026, 11, 29, 6, tzinfo=UTC)
SECRET = "s3://growbin/secret"


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """Over a database with a task, its dead letter and an analysis, made once."""
    services = make_services(_settings.load(data_dir=tmp_path_factory.mktemp("mcp"), language="en"))
    upgrade(services.database, SCHEMA)
    text = json.dumps({"args": [SECRET]})
    dead = task("t/1 한글", NOW, status="dead", error="KeyError", completed_at=NOW, payload=text)
    put(services.database, TaskRow, [dead])
    put(services.database, DeadLetterRow, [letter(dead)])
    whose = {"user_id": "user-7", "created_at": NOW, "updated_at": NOW}
    put(services.database, WasteAnalysis, [{"id": name, "status": "completed"} | whose for name in ("an1", "an2")])
    yield services
    services.close()


@pytest.fixture(scope="module")
def app(services: Services) -> FastAPI:
    """A monitor that has described its tools once."""
    return make_app(CLOSED, services)


@pytest.fixture
def asked(app: FastAPI, portal: BlockingPortal, open_monitor: Callable[..., Client]) -> Callable[..., Client]:
    """Returns a function that returns a client of a monitor, for somebody."""

    def by(name: str | None, **options: Any) -> Client:
        client = open_monitor(**options) if options else Client(app, portal, "http://localhost:5555")
        client.auth = (name, PASSWORD) if name else None
        return client

    return by


def say(client: Client, method: str, **params: Any) -> Any:
    answer = client.post("/api/mcp", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert answer.status_code == 200, answer.text
    return answer.json()


def called(client: Client, tool: str, **arguments: Any) -> tuple[bool, Any]:
    found = say(client, "tools/call", name=tool, arguments=arguments)["result"]
    return found["isError"], json.loads(found["content"][0]["text"])


def test_it_begins_and_lists_what_the_asker_may_use(asked: Callable[..., Client]) -> None:
    begun = say(asked("vera"), "initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo={})["result"]
    assert (begun["protocolVersion"], begun["serverInfo"]["name"]) == ("2025-06-18", "growbin-jobs")
    viewer, admin = (
        {each["name"]: each for each in say(asked(name), "tools/list")["result"]["tools"]} for name in ("vera", "adam")
    )

    assert set(admin) - set(viewer) == {"audit", "audit_review"}
    assert {"overview", "tasks", "tasks_by_task_id", "dead_letters", "error_groups", "usage", "proof"} <= set(viewer)
    assert all(each["annotations"]["readOnlyHint"] and each["description"] for each in viewer.values())
    assert viewer["tasks_by_task_id"]["inputSchema"]["required"] == ["task_id"]
    assert "$ref" not in json.dumps(list(admin.values()))
    assert not {"export", "photos"} & {name.split("_")[0] for name in admin}  # no JSON, and a reason is asked for


@pytest.mark.parametrize("name", ["vera", "pia"])
def test_a_tool_says_what_the_route_says_to_the_same_person(name: str, asked: Callable[..., Client]) -> None:
    client, path = asked(name), quote("t/1 한글")

    assert called(client, "tasks", state="dead", limit=5) == (
        False,
        client.get("/api/v2/tasks?state=dead&limit=5").json(),
    )
    assert called(client, "tasks_by_task_id", task_id="t/1 한글") == (False, client.get(f"/api/v2/tasks/{path}").json())
    assert (SECRET in str(called(client, "tasks_by_task_id", task_id="t/1 한글"))) == (name == "pia")
    assert called(client, "tasks_by_task_id", task_id="nothing")[0]
    assert called(client, "tasks", q="(")[1]["type"] == "growbin:search"
    assert called(client, "tasks", limit=0)[1]["status"] == 422


def test_what_is_seen_of_a_person_is_written_down(services: Services, asked: Callable[..., Client]) -> None:
    is_error, found = called(asked("pia", url_prefix="/jobs"), "analyses_by_analysis_id", analysis_id="an1")

    assert (is_error, found["timeline"]["analysis"]["user_id"]) == (False, "user-7")
    [row] = services.audit.find(limit=10, target="an1")
    assert (row.who, row.whose, row.address) == ("pia", "user-7", "testclient")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", -32700),
        ("[" * 100_000, -32700),
        ('[{"jsonrpc": "2.0", "id": 1, "method": "ping"}]', -32600),
        ('{"id": 1, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
        ('{"jsonrpc": "2.0", "id": 1.5, "method": "ping"}', -32600),
        ('{"jsonrpc": "2.0", "id": "\\ud800", "method": "resources/list"}', -32601),
        ('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "audit"}}', -32602),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tasks", "arguments": {"x": 1}}}',
            -32602,
        ),
        ('{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tasks_by_task_id"}}', -32602),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "tasks", "arguments": {"q": []}}}',
            -32602,
        ),
    ],
)
def test_what_cannot_be_answered_is_an_error(message: str, code: int, asked: Callable[..., Client]) -> None:
    answer = asked("vera").post("/api/mcp", content=message)

    assert (answer.status_code, answer.json()["error"]["code"]) == (200, code)


def test_only_those_who_are_known_get_answers(asked: Callable[..., Client]) -> None:
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}

    assert asked(None).post("/api/mcp", json=ping).status_code == 401
    assert asked("vera").post("/api/mcp", json=ping, headers={"origin": "https://evil.example"}).status_code == 403
    assert asked("vera").post("/api/mcp", json=ping, headers={"mcp-protocol-version": "1999-01-01"}).status_code == 400
    assert asked("vera").post("/api/mcp", json=ping | {"id": None}).status_code == 202
    assert asked("vera", read_only=True).post("/api/mcp", json=ping).json()["result"] == {}
    assert asked("vera").get("/api/mcp").status_code == 405


def test_any_text_may_be_an_id(asked: Callable[..., Client]) -> None:
    client = asked("vera")

    @settings(max_examples=15, deadline=None)
    @given(id_=st.text(min_size=1, max_size=20))
    def check(id_: str) -> None:
        is_error, found = called(client, "dead_letters_by_letter_id", letter_id=id_)
        assert is_error
        assert found["status"] in (400, 404, 422)

    check()


def test_by_lines(services: Services) -> None:
    lines = [
        '{"jsonrpc": "2.0", "method": "notifications/initialized"}\n', "\n", "no json\n",
        '{"jsonrpc": "2.0", "id": "a", "method": "tools/call", "params": {"name": "me"}}\n',
        '{"jsonrpc": "2.0", "id": "b", "method": "tools/call", "params": {"name": "analyses_by_analysis_id",'
        ' "arguments": {"analysis_id": "an2"}}}\n',
    ]  # fmt: skip
    out = io.StringIO()

    serve(services, "kim", Grant.parse("viewer+personal"), lines, out)

    wrong, me, analysis = map(json.loads, out.getvalue().splitlines())
    assert wrong["error"]["code"] == -32700
    assert json.loads(me["result"]["content"][0]["text"])["name"] == "kim"
    assert (analysis["id"], analysis["result"]["isError"]) == ("b", False)
    [row] = services.audit.find(limit=10, target="an2")
    assert (row.who, row.role) == ("kim", "viewer+personal")
