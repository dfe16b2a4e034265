"""``growbin-jobs breakers``, over the embedded database."""

import json

import pytest
from tests.upgraded import upgrade

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.breaker_failures import Failure
from growbin_jobs.limits.breakers import Breakers
from growbin_jobs.models import SCHEMA


@pytest.fixture(autouse=True)
def english(invoke, monkeypatch):
    monkeypatch.setenv("GROWBIN_LANGUAGE", "en")


NAME = "model:gpt-6-luna@api.openai.com"


@pytest.fixture
def breakers(tmp_path):
    (tmp_path / "data").mkdir()
    database = open_database(None, default_path=tmp_path / "data" / "central.db", pool_size=2, timeout=10)
    upgrade(database, SCHEMA)
    yield Breakers(database)
    database.close()


def test_nothing_to_see(invoke):
    result = invoke("breakers", "list")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "No breaker" in result.stderr


def test_one_that_needs_an_operator_is_shown_with_what_to_do_and_reset(invoke, breakers):
    breakers.failed(NAME, Failure("model_quota_exhausted"))

    shown = invoke("breakers", "list", GROWBIN_LANGUAGE="en")
    assert shown.exit_code == 1
    assert shown.stdout.startswith(f"operator  {NAME}  since 2")
    assert "model_quota_exhausted The model's account has no quota left." in " ".join(shown.stdout.split())
    assert "next probe" in shown.stdout

    as_json = json.loads(invoke("breakers", "list", "--json", GROWBIN_LANGUAGE="ko").stdout)
    assert (as_json["name"], as_json["state"]) == (NAME, "operator")
    assert "결제" in as_json["remedy"]
    assert as_json["next_probe_at"] > as_json["since_at"]

    reset = invoke("breakers", "reset", "model:gpt-6-luna")
    assert (reset.exit_code, reset.stdout) == (0, "model:gpt-6-luna is closed.\n")
    assert invoke("breakers", "list").exit_code == 0
