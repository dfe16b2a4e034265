"""The judge itself: a stub that counts, refuses beyond its limit, and plays outages."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "stubs"))

from limited_openai import LimitedOpenAI

from growbin_jobs.adapters.llm.client import Call, ModelClient
from growbin_jobs.errors import Deferred, GrowbinError

MESSAGES = [{"role": "user", "content": "Say hello in English, please."}]


@pytest.fixture
def server():
    with LimitedOpenAI({"vision": 2, "text": 2}, late=0.0) as server:
        yield server


def ask(server, timeout=10.0):
    client = ModelClient(api_key="k", base_url=server.url)
    return client.ask_text(Call("some-model", timeout=timeout, max_tokens=100, purpose="text"), MESSAGES)


def test_without_a_gate_the_third_request_of_two_is_refused_and_counts_too(server):
    ask(server)
    ask(server)
    with pytest.raises(Deferred):
        ask(server)

    assert (len(server.counted("text")), server.refused, server.counted("vision")) == (3, 1, [])


@pytest.mark.parametrize("behaviour", ["503", "quota", "drop"])
def test_an_outage_lasts_until_it_is_over(server, behaviour):
    server.limits["text"] = 100
    server.play(behaviour)
    for _ in range(3):
        with pytest.raises(GrowbinError):
            ask(server)
    server.play("ok")

    assert ask(server).answer
    assert server.refused == 0


def test_what_openai_would_refuse_is_refused_and_not_counted(server):
    client = ModelClient(api_key="k", base_url=server.url)
    client.ask_text(Call("gpt-6-luna", timeout=10.0, max_tokens=100, temperature=9.0), MESSAGES)

    assert server.violations, "the temperature, which is then not sent any more"
    assert len(server.counted("text")) == 1
