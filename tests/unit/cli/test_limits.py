"""``growbin-jobs limits``, as a person uses it."""

import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from growbin_jobs import settings as _settings
from growbin_jobs.cli import target
from growbin_jobs.cli.app import app
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.analysis import Analyses


@pytest.fixture(autouse=True)
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _settings.Settings.model_fields:
        monkeypatch.delenv(_settings.Settings.variable(name), raising=False)
    monkeypatch.setenv("GROWBIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")


def limits(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["limits", *arguments])


def as_json(*arguments: str):
    return json.loads(limits(*arguments, "--json").stdout)


def test_without_any_it_says_so():
    assert "no limits yet" in limits("list").stderr
    assert as_json("list") == []


def test_a_limit_is_changed_listed_and_given_back():
    assert "at most 60/min" in limits("set", "vision", "60").stderr
    [state] = as_json("list")
    assert (state["name"], state["most"], state["window"], state["origin"]) == ("vision", 60, 60.0, "person")
    assert "60/min" in limits("list").stdout

    assert "at most 100/min" in limits("set", "vision", "--default").stderr
    assert [(each["most"], each["origin"]) for each in as_json("list")] == [(100, "setting")]


def test_a_share_is_kept_back_for_nodes_that_are_cut_off_and_given_back():
    assert "Of vision, 6 are kept back" in limits("set", "vision", "60", "--offline-share", "10%").stderr
    assert as_json("list")[0]["most"] == 60, "that is still what is promised"
    assert "Nothing of vision is kept back" in limits("set", "vision", "--offline-share", "0%").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("vision", "60", "--offline-share", "many"), 2, "is no share"),
        (("vision", "--offline-share", "10%"), 1, "no limit vision"),
        (("vision", "60", "--offline-share", "60%"), 1, "0% to 50%"),
        (("vision",), 2, "Give a rate"),
        (("vision", "60", "--default"), 2, "Give a rate"),
        (("vision", "many"), 2, "is no rate"),
        (("tokens:", "5"), 1, "names no limit"),
        (("project", "--default"), 1, "say nothing of project"),
        (("tokens:vision", "10"), 1, "nothing could be sent"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, code, words):
    result = limits("set", *arguments)

    assert result.exit_code == code
    assert words in result.stderr + str(result.exception)


def test_a_plan_takes_what_was_set_and_what_is_asked_about():
    limits("set", "vision", "10")

    assert as_json("plan", "--pictures", "100")["per_minute"] == pytest.approx(9.8, abs=0.01)
    assert as_json("plan", "--pictures", "100", "--vision", "50")["per_minute"] == pytest.approx(49.0, abs=0.1)
    assert "vision decides" in limits("plan").stdout


def test_verify_fails_when_a_promise_was_broken():
    limits("set", "vision", "5")
    assert limits("verify").exit_code == 0

    moment = datetime.now(UTC) + timedelta(minutes=2)
    rows = [
        {"id": uuid.uuid4().hex, "sent_at": moment, "day": "2026-11-28", "node": "n1", "purpose": "vision",
         "model": "m", "outcome": "answered", "billed": "yes", "latency_ms": 1}
        for _ in range(6)
    ]  # fmt: skip
    target.central().run(lambda connection: LlmUsage.insert_many(rows).execute(connection))
    result = limits("verify", "--last", "1h")

    assert result.exit_code == 1
    assert "BROKEN" in result.stdout
    proof = as_json("verify")
    assert (proof["kept"], proof["limits"][0]["worst"]) == (False, 6)


@pytest.mark.parametrize("length", ["1x", "0h", "-5h", "999999d", "1.5h", "٣h"])
def test_a_length_of_time_that_is_none_is_refused(length):
    assert limits("verify", f"--last={length}").exit_code == 2


def test_a_plan_that_ends_after_all_years_says_how_long_it_takes():
    limits("set", "project", "1/day")

    planned = limits("plan", "--pictures", "100000000")
    assert planned.exit_code == 0
    assert "days" in planned.stdout


def test_status_says_what_an_analysis_waits_for(command, tmp_path):
    from growbin_jobs.messages import StoredPicture

    limits("set", "vision", "60")
    picture = StoredPicture(s3_path="s3://b/k", thumbnail_path="s3://b/t")
    Analyses(target.central()).uploaded("a1", "u1", picture)

    assert "place 1" in command("status", "a1", GROWBIN_LANGUAGE="en").stdout
    assert json.loads(command("status", "a1", "--json").stdout)["turn"]["limit"] == "vision"
