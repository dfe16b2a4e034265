"""A client with breakers against the stand-in for OpenAI: outages, retired models and price tiers over HTTP."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from growbin_jobs.adapters.llm.address import host_of
from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.guards import ModelAway
from growbin_jobs.adapters.llm.meter import ModelRequest
from growbin_jobs.errors import Permanent
from growbin_jobs.limits.breaker_failures import OPERATOR_PAUSE, THRESHOLDS
from growbin_jobs.limits.breaker_guard import BreakerGuard
from growbin_jobs.limits.breaker_store import MemoryBreakers

STUB = Path(__file__).parents[1] / "stubs" / "openai_server.py"
spec = importlib.util.spec_from_file_location("openai_server", STUB)
assert spec is not None
assert spec.loader is not None
openai_server = importlib.util.module_from_spec(spec)
sys.modules["openai_server"] = openai_server
spec.loader.exec_module(openai_server)

CALL = Call(model="gpt-6-luna", timeout=20.0, max_tokens=800, purpose="text")
MESSAGES = [{"role": "user", "content": "Say it in English."}]


class Records(list[ModelRequest]):
    """A meter."""

    record = list.append


@pytest.fixture
def stub() -> Iterator[Any]:
    with openai_server.StubOpenAI() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def now() -> list[float]:
    return [1000.0]


@pytest.fixture
def breakers(now: list[float]) -> MemoryBreakers:
    return MemoryBreakers(clock=lambda: now[0])


@pytest.fixture
def records() -> Records:
    return Records()


@pytest.fixture
def client(stub: Any, breakers: MemoryBreakers, records: Records) -> ModelClient:
    look_up = ModelClient(api_key=None, base_url=stub.url).look_up
    guard = BreakerGuard(breakers, server=host_of(stub.url), look_up=look_up, per_minute={"text": 0.0})
    return ModelClient(api_key=None, base_url=stub.url, meter=records, guards=[guard])


def ask(client: ModelClient, call: Call = CALL, message: str = "a") -> str:
    with attributed(Attribution(message_id=message)):
        return client.ask_text(call, MESSAGES).answer


def test_a_spent_quota_parks_the_work_and_one_request_a_pause_asks_for_its_end(stub, client, now):
    stub.script(*["quota"] * 6)
    for minute in range(6):
        for message in "abcde":
            with pytest.raises(ModelAway) as away:
                ask(client, message=f"{message}{minute}")
            assert away.value.wait <= OPERATOR_PAUSE
        now[0] += OPERATOR_PAUSE
    assert len(stub.requests) == 6

    assert ask(client, message="z")
    assert ask(client, message="a0")


def test_a_storm_of_errors_opens_it(stub, client):
    stub.script(*["503"] * 50)
    for number in range(50):
        with pytest.raises(ModelAway):
            ask(client, message=str(number))

    assert len(stub.requests) == THRESHOLDS["outage"]


def test_a_successor_answers_for_a_model_that_is_gone(stub, client, now, records):
    stub.models = {"gpt-6-luna": None}
    call = Call(model="stub-gone", timeout=20.0, max_tokens=800, successors=(CALL,))

    assert ask(client, call)
    assert ask(client, call, "b")
    assert [record.model for record in records] == ["stub-gone", "gpt-6-luna", "gpt-6-luna"]

    now[0] += OPERATOR_PAUSE
    assert ask(client, call, "c")
    assert stub.looked_up == ["stub-gone"], "its end is looked up, and not asked for"
    assert [record.model for record in records[3:]] == ["gpt-6-luna"]


def test_without_a_successor_the_work_waits(stub, client):
    with pytest.raises(ModelAway) as away:
        ask(client, Call(model="stub-gone", timeout=20.0, max_tokens=800))

    assert away.value.reason == "model_not_offered"


@pytest.mark.parametrize(("behaviour", "then"), [("flex_full", "default"), ("no_flex", None)])
def test_a_tier_that_is_not_to_be_had_is_answered_by_the_standard_one(stub, client, breakers, records, behaviour, then):
    """PostHog/posthog#91639."""
    call = Call(model=f"stub-{behaviour}", timeout=20.0, max_tokens=800, service_tier="flex")

    assert ask(client, call)

    assert [asked.body.get("service_tier") for asked in stub.requests] == ["flex", then]
    assert [record.asked_tier for record in records] == ["flex", then]
    assert breakers.all() == []
    assert ask(client, call)
    asked = [request.body.get("service_tier") for request in stub.requests[2:]]
    assert asked == (["flex", "default"] if behaviour == "flex_full" else [None]), "a tier that is not there at all"


def test_a_server_without_such_a_page_says_nothing_by_a_look_up(stub):
    client = ModelClient(api_key=None, base_url=stub.url)

    client.look_up("gpt-6-luna")
    with pytest.raises(Permanent) as gone:
        client.look_up("gpt-1")
    assert gone.value.code == "model_not_offered"
    ModelClient(api_key=None, base_url=stub.url + "/elsewhere").look_up("gpt-6-luna")
