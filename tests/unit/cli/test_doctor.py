import json
from datetime import date

import pytest

from growbin_jobs.checks import _end_of, _not_sent
from growbin_jobs.settings import load


def findings(done):
    return {one["what"]: one for one in json.loads(done.stdout)}


@pytest.fixture
def a_file(tmp_path):
    """Where nobody, root neither, can make a folder."""
    path = tmp_path / "file"
    path.touch()
    return path


def test_embedded_everything_is_well(invoke):
    done = invoke("doctor", "--json")

    assert done.exit_code == 0
    assert {one["status"] for one in findings(done).values()} <= {"ok", "warning"}
    assert set(findings(done)) == {"settings", "data folder", "broker", "database", "object store", "rules", "models"}
    assert "offline/" in findings(done)["models"]["detail"]


@pytest.mark.parametrize(
    ("what", "variable", "value"),
    [
        ("broker", "GROWBIN_BROKER_URL", "amqp://growbin:hunter2@127.0.0.1:1/"),
        ("database", "DATABASE_URL", "postgresql://growbin:hunter2@127.0.0.1:1/growbin"),
        ("database", "DATABASE_URL", "sqlite:///{file}/growbin.db"),
        ("object store", "GROWBIN_OBJECT_STORE_URL", "file://{file}/pictures"),
        ("rules", "GROWBIN_RULES_DIR", "{file}/rules"),
        ("models", "OPENAI_BASE_URL", "http://127.0.0.1:1/v1"),
    ],
)
def test_one_thing_that_does_not_work_is_named_with_a_remedy_and_the_rest_is_tried(
    invoke, a_file, what, variable, value
):
    done = invoke("doctor", "--json", **{variable: value.format(file=a_file)})

    failed = [one for one in json.loads(done.stdout) if one["status"] == "failed"]
    assert done.exit_code == 1
    assert [one["what"] for one in failed] == [what]
    assert variable in failed[0]["detail"]
    assert "hunter2" not in done.output


def test_a_data_folder_that_cannot_be_made(invoke, a_file):
    done = invoke("doctor", "--json", GROWBIN_DATA_DIR=f"{a_file}/growbin")

    assert done.exit_code == 1
    assert "GROWBIN_DATA_DIR" in findings(done)["data folder"]["detail"]


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
    finding = _end_of(model, announced, date(2026, 11, 28))

    assert finding.status == status
    assert named in finding.detail


def test_what_the_model_refuses_is_named():
    settings = load(vision_reasoning_effort="minimal", text_temperature=0.3)

    findings = [finding.detail for finding in _not_sent(settings)]

    assert findings == [
        "gpt-6-luna does not know GROWBIN_VISION_REASONING_EFFORT=minimal: sends none",
        "gpt-6-luna refuses a temperature: GROWBIN_TEXT_TEMPERATURE is not sent",
    ]
