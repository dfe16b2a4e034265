"""``growbin-jobs doctor``: how it judges and shows; the faults that it names are the table of ``tests/doctor``."""

import json
import os
import socket
import sys
import time
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from tests import command_line
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.facts import Facts
from growbin_jobs.adapters.llm.learning import Learnt
from growbin_jobs.checks.models import (
    _judged,
    _not_sent,
    _not_taken,
    _with_rehearsals,
)
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.workers import WorkerGroup, Workers
from growbin_jobs.engine.node.presence import Presence, WorkerProcess
from growbin_jobs.model_catalog import find_server
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.rehearsals import Rehearsals
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.operations.model_ends import _announced, end_of, is_offered
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database


def findings(done):
    return {one["what"]: one for one in json.loads(done.stdout)}


def test_embedded_everything_is_well(invoke):
    done = invoke("doctor", "--json")

    assert done.exit_code == 0
    assert {one["status"] for one in findings(done).values()} <= {"ok", "warning"}
    assert set(findings(done)) == {
        "settings", "packages", "data folder", "broker", "database", "object store", "rules", "models", "budgets",
        "statistics", "workers", "schedule",
    }  # fmt: skip
    assert "offline/" in findings(done)["models"]["detail"]


def test_wrong_settings_are_a_finding(invoke):
    done = invoke("doctor", GROWBIN_LANGUAGE="fr")

    assert done.exit_code == 1
    assert "✘ failed" in done.output
    assert "GROWBIN_LANGUAGE" in done.output


def test_the_table_keeps_brackets_and_fits(invoke):
    done = invoke("doctor", GROWBIN_RULES_DIR="/proc/[bold]rules")

    assert "[bold]" in done.output
    assert max(map(len, done.output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("model", "announced", "status", "named"),
    [
        ("gpt-5", None, "failed", "gpt-6-luna or gpt-6.1-sol"),
        ("gpt-5-2025-08-07", None, "failed", "gpt-6-luna"),
        ("gpt-4o-mini", None, "warning", "gpt-6-luna"),
        ("gpt-5.1", None, "ok", "2027-04-01"),
        ("gpt-6-luna", None, "ok", "gpt-6-luna"),
        ("gpt-4-vision-preview", None, "failed", "left the API"),
        ("gpt-6-luna", date(2026, 12, 12), "failed", "in 14 days"),
        ("gpt-6-luna", date(2026, 12, 13), "warning", "in 15 days"),
        ("gpt-6-luna", date(2027, 1, 27), "warning", "in 60 days"),
        ("gpt-6-luna", date(2027, 1, 28), "ok", "until 2027-01-28"),
        ("llava", date(2026, 11, 27), "failed", "deprecations page"),
    ],
)
def test_a_model_s_end_is_judged_by_the_days_that_are_left(model, announced, status, named):
    finding = _judged(model, end_of(model, {model: announced}), date(2026, 11, 28))

    assert finding.status == status
    assert named in finding.detail


@pytest.mark.parametrize(
    ("offered", "end"),
    [
        ({"gpt-5": date(2026, 12, 11)}, date(2026, 12, 11)),
        ({"gpt-5": None, "gpt-5-2025-08-07": date(2026, 12, 11)}, date(2026, 12, 11)),
        (
            {"gpt-5": None, "gpt-5-2025-08-07": date(2026, 12, 1), "gpt-5-2026-02-01": date(2027, 5, 1)},
            date(2027, 5, 1),
        ),
        ({"gpt-5": None}, None),
        ({"gpt-6-luna": date(2030, 1, 1)}, None),
        ({}, None),
    ],
)
def test_an_alias_ends_with_its_last_snapshot(offered, end):
    assert _announced("gpt-5", offered) == end


def test_a_model_that_ends_names_how_its_successor_did(invoke, tmp_path):
    settings = load(data_dir=tmp_path / "data", vision_model="gpt-5")
    found = _judged("gpt-5", end_of("gpt-5", {}), date(2026, 11, 28))
    assert "growbin-jobs models rehearse gpt-6-luna" in _with_rehearsals(settings, "gpt-5", found).detail

    rehearsals = Rehearsals(central_database(settings))
    rehearsals.add("gpt-6-luna", verdict="no-go", pictures=100, agreement=0.5, report={})
    rehearsals.add("gpt-6-luna", verdict="go", pictures=200, agreement=0.96, report={"model": "gpt-6-luna"})

    told = _with_rehearsals(settings, "gpt-5", found)
    assert told.status == "failed"
    assert "gpt-6-luna on " in told.detail
    assert "go, 96% of 200" in told.detail
    assert "no-go" not in told.detail


def test_what_the_model_refuses_is_named():
    settings = load(vision_reasoning_effort="minimal", text_temperature=0.3)

    findings = [finding.detail for finding in _not_sent(settings)]

    assert findings == [
        "gpt-6-luna does not know GROWBIN_VISION_REASONING_EFFORT=minimal: sends none",
        "gpt-6-luna refuses a temperature: GROWBIN_TEXT_TEMPERATURE is not sent",
    ]


@pytest.mark.parametrize(
    ("model", "kind", "offered", "expected"),
    [
        ("llava", "ollama", {"llava:latest": None}, True),
        ("llava", "ollama", {"llava:7b": None}, False),
        ("deployment", "azure", {"gpt-6-luna": None}, True),
        ("m", "openai", {}, True),
    ],
)
def test_whether_a_server_offers_a_model(model, kind, offered, expected):
    assert is_offered(model, offered, find_server(kind, "")) is expected


def test_what_the_server_does_not_take_and_what_it_said_is_named(invoke, tmp_path):
    address = "http://localhost:11434/v1"
    settings = load(data_dir=tmp_path / "data", openai_base_url=address, vision_model="m", text_model="m")
    database = central_database(settings)
    upgrade(database, SCHEMA)
    refused = {"response_format.json_schema": "no schemas here", "cap.1000": "cut off"}
    facts = Facts(refused=refused, efforts=("none",), said="HTTP 401, go away")
    ServerFacts(database).add("server:x", Learnt(address, "m"), lambda _: facts.to_json())

    details = [finding.detail for finding in _not_taken(settings, find_server("auto", address))]

    assert "Ollama: not sent: image_url.http, max_completion_tokens, service_tier, store" in details
    assert any("refuses response_format.json_schema, efforts other than none: the form" in detail for detail in details)
    assert "m: its server said: HTTP 401, go away" in details
    env = {"GROWBIN_DATA_DIR": str(tmp_path / "data"), "COLUMNS": "80", "GROWBIN_LANGUAGE": "en"}
    shown = invoke("models", "servers", **env)
    assert "no schemas here" in shown.stdout
    assert invoke("models", "forget", "m", **env).exit_code == 0
    assert "Nothing was learnt" in invoke("models", "servers", **env).stderr
    assert invoke("models", "forget", "m", **env).exit_code == 1


def test_variables_that_are_settings_are_not_named(invoke):
    done = invoke("doctor", "--json", GROWBIN_LANGUAGE="en", growbin_text_model="m", GROWBIN_TEST_SERVICES_DIR="x")

    assert [one["status"] for one in json.loads(done.stdout) if one["what"] == "settings"] == ["ok"]


def test_a_group_without_a_worker_is_named_with_the_command(invoke, tmp_path):
    assert "growbin-jobs up" in findings(invoke("doctor", "--json"))["workers"]["detail"]

    with working(tmp_path, "storage"):
        missing = findings(invoke("doctor", "--json"))["workers"]
        with working(tmp_path, "ai"):
            present = findings(invoke("doctor", "--json"))["workers"]

    assert (missing["status"], present["status"]) == ("warning", "ok")
    assert missing["detail"].endswith("growbin-jobs worker ai")


def test_a_group_that_works_on_another_node_is_known_from_the_database(invoke, tmp_path):
    invoke("doctor")  # makes the database
    database = open_database(None, default_path=tmp_path / "data" / "central.db", pool_size=1, timeout=5)
    now = datetime.now(UTC)
    for node, age in (("n1", 0), ("n2", 3600)):
        group = WorkerGroup(
            node=node, group_name="ai" if age else "storage", version="1", pids=[1], processes=1, threads=1, queues=[],
            running=0, unsynced=0, owed=0, lag=0.0, started_at=now, seen_at=now - timedelta(seconds=age),
        )  # fmt: skip
        Workers(database).report(node, [group], unsynced=0, owed=0, at=now)
    database.close()

    assert findings(invoke("doctor", "--json"))["workers"]["detail"].endswith("Start it: growbin-jobs worker ai")


@contextmanager
def working(tmp_path, group):
    process = WorkerProcess(
        pid=os.getpid(), master=1, group=group, threads=1, queues=(), version="1", started_at=time.time()
    )
    presence = Presence(tmp_path / "data" / socket.gethostname(), process)
    yield
    presence.leave()


def test_an_engine_of_one_s_own_is_tried_by_its_own_settings(tmp_path, environment):
    (tmp_path / "shop.py").write_text(
        "from growbin_jobs.engine import Engine, EngineConfig\n"
        "from growbin_jobs.scheduler.schedule import Schedule\n"
        'engine = Engine(EngineConfig.from_env("SHOP_", source="shop:engine"))\n'
        "schedule = Schedule(engine)\n"
    )
    env = environment | {"SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_NODE": "n1"}

    def doctor(**more):
        done = command_line.run("doctor", "--engine", "shop", "--json", env=env | more, cwd=tmp_path, text=True)
        return done.returncode, {found["what"]: (found["status"], found["detail"]) for found in json.loads(done.stdout)}

    code, well = doctor()
    assert (code, {what: status for what, (status, _) in well.items()}) == (
        0, {"data folder": "ok", "broker": "ok", "database": "ok", "workers": "warning", "schedule": "warning"},
    )  # fmt: skip
    assert well["workers"][1] == "No worker runs. Start all groups: growbin-jobs up shop"
    assert well["schedule"][1].endswith("Start one: growbin-jobs scheduler --engine shop, or growbin-jobs up shop")
    send = "import shop\n@shop.engine.actor(queue_name='renamed')\ndef work(): pass\nwork.send()"
    command_line.run_python([sys.executable, "-c", send], env=env, cwd=tmp_path, check=True, timeout=60)
    code, stranded = doctor()
    assert (code, stranded["queues"][0]) == (0, "warning")
    assert "renamed holds 1 message, and nothing takes from it." in stranded["queues"][1]
    code, away = doctor(SHOP_BROKER_URL="amqp://127.0.0.1:1/", SHOP_DATABASE_URL="postgresql://127.0.0.1:1/none")
    assert "queues" not in away
    assert (code, away["broker"][0], away["database"][0]) == (1, "failed", "failed")
    assert "SHOP_BROKER_URL" in away["broker"][1]
    assert "SHOP_DATABASE_URL" in away["database"][1]
    (tmp_path / "file").touch()
    code, nowhere = doctor(SHOP_DATA_DIR=str(tmp_path / "file" / "data"))
    assert (code, nowhere.keys()) == (1, {"data folder"})
    assert "Set SHOP_DATA_DIR" in nowhere["data folder"][1]
