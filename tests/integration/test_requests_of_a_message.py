"""How many HTTP requests one call sends at most, and that each is granted, sent and entered in the books once."""

import importlib.util
import sys
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from tests.upgraded import upgrade
from tests.whole import examples

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.vision import OnlineVision
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.errors import GrowbinError
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.ledger import UsageLedger
from growbin_jobs.limits.minutes import CentralUse
from growbin_jobs.limits.paid_calls import guards
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models import SCHEMA
from growbin_jobs.rates import Rate

STUB = Path(__file__).parents[1] / "stubs" / "openai_server.py"
spec = importlib.util.spec_from_file_location("openai_server", STUB)
assert spec is not None
assert spec.loader is not None
openai_server = importlib.util.module_from_spec(spec)
sys.modules.setdefault("openai_server", openai_server)
spec.loader.exec_module(openai_server)

#: A server without JSON schemas, asked again for a JSON object; an answer that was cut off, asked again with room.
MOST_OF_ONE_CALL = 3

PICTURE = b"\xff\xd8\xff\xe0" + bytes(60)

BEHAVIOURS = ("ok", "length", "always_length", "no_json_schema", "not_json", "refusal", "429", "503", "400", "cut")


@pytest.fixture(scope="module")
def stub():
    with openai_server.StubOpenAI() as stub:
        yield stub


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    database = open_database(
        None, default_path=tmp_path_factory.mktemp("central") / "central.db", pool_size=4, timeout=10
    )
    upgrade(database, SCHEMA)
    yield database
    database.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("usage")


def books(database):
    granted = sum(units for name, _, _, units in CentralUse(database, "").since(0) if name == "vision")
    return granted, database.run(lambda connection: LlmUsage.select().count(connection))


@given(st.lists(st.sampled_from(BEHAVIOURS), min_size=6, max_size=6))
@example(["no_json_schema", "length", "ok", "ok", "ok", "ok"])
@example(["length", "no_json_schema", "always_length", "ok", "ok", "ok"])
@example(["no_json_schema", "always_length", "always_length", "always_length", "ok", "ok"])
@hypothesis_settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_call_sends_at_most_three_requests_each_granted_and_booked_once(stub, database, folder, behaviours):
    database.run(lambda connection: connection.execute_sql("DELETE FROM breaker"))  # of the examples before
    settings = _settings.load(limits={"vision": Rate(10**9, 1.0)}, openai_base_url=stub.url)
    ledger = UsageLedger(database, load_prices(), node="n1", zone=ZoneInfo("Asia/Seoul"), folder=folder)
    unguarded = ModelClient(api_key="k", base_url=stub.url)
    guarding = guards(settings, database, look_up=unguarded.look_up)
    client = ModelClient(api_key="k", base_url=stub.url, meter=ledger, guards=guarding)
    call = Call("some-model", timeout=30.0, max_tokens=1000, purpose="vision")
    vision = OnlineVision(client, call=call, items=[KnownItem("general", "기타", "other")])
    before, sent_before = books(database), len(stub.requests)
    stub.script(*behaviours)

    try:
        vision.classify(PICTURE)
    except GrowbinError:
        pass
    finally:
        stub._scripts.clear()
    ledger.close()
    sent = len(stub.requests) - sent_before
    assert afterwards.wait(30)
    granted, rows = (after - earlier for after, earlier in zip(books(database), before, strict=True))

    assert 1 <= sent <= MOST_OF_ONE_CALL
    assert granted == rows == sent
    assert stub.violations == []


def test_the_most_of_one_message_is_that_of_each_of_its_tries():
    """Six tries of three requests: as many as one picture can cost, each of them granted by the limits."""
    settings = _settings.load()

    assert MOST_OF_ONE_CALL * (1 + settings.vision_retries) == 18
    assert MOST_OF_ONE_CALL - 1 == 2, "a text has no schema: it is asked again only when it was cut off"
    assert 2 * (1 + settings.response_retries) == 8
