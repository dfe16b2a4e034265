"""Each kind of model server, as it refuses, wraps, names things and asks to wait: ``tests/stubs/model_servers.py``."""

import gzip
import importlib.util
import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.upgraded import upgrade

from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.learning import Memory, OwnMemory
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import OnlineText
from growbin_jobs.ai.vision import OnlineVision
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.messages import Rule, RuleSource, Text, VisionAnswer
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.server_facts import ServerFacts
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

STUBS = Path(__file__).parents[1] / "stubs" / "model_servers.py"
spec = importlib.util.spec_from_file_location("model_servers", STUBS)
assert spec is not None
assert spec.loader is not None
model_servers = importlib.util.module_from_spec(spec)
sys.modules["model_servers"] = model_servers
spec.loader.exec_module(model_servers)

KINDS = list(model_servers.KINDS)
KEY = "canary-key-0123456789"
ITEMS = [KnownItem("general", "기타", "other"), KnownItem("pet_bottle", "페트병", "PET bottle")]
RULE = Rule(
    item="pet_bottle",
    name=Text(ko="페트병", en="PET bottle"),
    category="plastic",
    disposal_method=Text(ko="투명 페트병 수거함", en="Clear PET bin"),
    rules=[Text(ko="비우고 헹궈요.", en="Empty and rinse it.")],
    source=RuleSource(title="분리배출 지침", publisher="환경부", checked="2026-11-01"),
)


@pytest.fixture(params=KINDS)
def stub(request: pytest.FixtureRequest) -> Iterator[Any]:
    with model_servers.StubServer(request.param) as server:
        yield server
        assert server.violations == []


def picture(number: int = 0) -> bytes:
    return b"\xff\xd8\xff\xe0" + number.to_bytes(4, "big") + b"picture" * 100


def client(stub: Any, memory: Memory | None = None, *, server: str = "auto") -> ModelClient:
    return ModelClient(api_key=KEY, base_url=stub.url, memory=memory, server=server)


def vision(client: ModelClient) -> OnlineVision:
    call = Call("m", 20.0, 1000, reasoning_effort="minimal", temperature=0.2, service_tier="flex")
    return OnlineVision(client, call=call, items=ITEMS)


def text(client: ModelClient) -> OnlineText:
    return OnlineText(client, call=Call("m", 20.0, 800))


def expected(shown: bytes) -> VisionAnswer:
    found = model_servers.openai_server.expected_answer(shown, [known.item for known in ITEMS])
    return VisionAnswer.model_validate(found)


def test_what_a_server_refuses_is_sent_to_it_once_and_never_again(stub):
    memory = OwnMemory()
    first, later = client(stub, memory), client(stub, memory)

    for number in range(3):
        assert vision(first).classify(picture(number)) == expected(picture(number))
    assert text(first).compose(RULE, None, "ko").source == "model"
    refused = stub.refusals
    assert vision(later).classify(picture(9)) == expected(picture(9))

    assert stub.refusals == refused, "another process, or the same after a restart, refuses nothing anew"
    assert len(stub.all_requests) == 5 + refused
    facts = first.facts("m")
    for name in stub.kind.learns:
        assert name in facts.refused or (name == "efforts" and facts.efforts)
    assert refused <= len(facts.refused) + bool(facts.efforts)
    assert "canary" not in facts.to_json()


def test_what_the_catalogue_knows_is_not_sent_at_all(stub):
    known = client(stub, server=stub.kind.name)

    assert vision(known).classify(picture()) == expected(picture())

    sent = {name for body in stub.all_requests for name in body}
    assert not sent & known.server.refuses
    header = known.server.key_header or "authorization"
    assert KEY in stub.headers_seen[0][header]
    assert header == "authorization" or "authorization" not in stub.headers_seen[0]


@pytest.mark.parametrize("stub", ["gemini", "groq"], indirect=True)
def test_many_threads_of_many_processes_learn_each_thing_once(stub, tmp_path):
    """Two clients with one database are two processes; the second begins while the first still learns."""
    database = central_database(load(data_dir=tmp_path))
    upgrade(database, SCHEMA)
    clients = [client(stub, ServerFacts(database)) for _ in range(2)]
    shown = [picture(number) for number in range(24)]

    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda number: vision(clients[number % 2]).classify(shown[number]), range(24)))

    assert answers == [expected(each) for each in shown]
    facts = clients[0].facts("m")
    assert stub.refusals <= len(facts.refused) + bool(facts.efforts)
    assert len(stub.all_requests) == 24 + stub.refusals
    assert [(kept.url, kept.model) for kept in ServerFacts(database).all()] == [(stub.url, "m")]
    assert ServerFacts(database).forget("m") == 1
    database.close()


EVENTS = [(kind, name) for kind, each in model_servers.KINDS.items() for name in each.events]


@pytest.mark.parametrize(("stub", "name"), EVENTS, indirect=["stub"])
def test_what_a_server_says_becomes_what_it_means(stub, name):
    asking = client(stub, server=stub.kind.name)
    event = stub.kind.events[name]
    stub.event(name, 3)

    with pytest.raises(GrowbinError) as raised:
        text(asking).compose(RULE, None, "ko")

    error = raised.value
    assert KEY not in str(error)
    assert "canary" not in str(error)
    match event.means:
        case "wait":
            assert isinstance(error, Deferred)
            assert error.wait == pytest.approx(event.seconds)
        case "refused":
            assert isinstance(error, Permanent)
            assert error.code == "model_refused"
        case "unusable":
            assert isinstance(error, Transient)
            assert error.final_code == "model_answer_invalid"
        case "failed":
            assert isinstance(error, Transient)
            assert "llama runner" in str(error), "what the server said"
        case code:
            assert isinstance(error, Permanent)
            assert error.code == code
            if name == "address":
                assert "OPENAI_BASE_URL" in str(error)
    assert len(stub.all_requests) == 1, "nothing is asked again where nothing was learnt"


#: What stands between a server and us answers: status, headers, body, and the words of the error.
PAGES = {
    "a proxy's page": (502, {}, b"<html><head><title>502 Bad Gateway</title></head></html>", "an HTML page, 502 Bad"),
    "another address": (404, {}, b"<!doctype html><title>Welcome</title>", "OPENAI_BASE_URL"),
    "nothing": (404, {}, b"", "OPENAI_BASE_URL"),
    "a page for an answer": (200, {}, b"<html><title>Sign in</title></html>", "an HTML page, Sign in"),
    "half an answer": (200, {}, b'{"choices": [{"mess', "not a chat completion"),
    "a bomb": (200, {"content-encoding": "gzip"}, gzip.compress(b"\0" * 30_000_000), "too large"),
    "a large error": (400, {}, b'{"error": {"message": "' + b"no " * 1_000_000 + b'"}}', "no no no"),
    "a large error, packed": (400, {"content-encoding": "gzip"}, gzip.compress(b" " * 30_000_000), "too large"),
    "a limit whose body is badly packed": (429, {"content-encoding": "gzip", "retry-after": "7"}, b"<html>", "limits"),
    "not what it says": (200, {"content-encoding": "gzip"}, b"<html>", "connection"),
    "a redirect": (302, {"location": "http://127.0.0.1:9/"}, b"", "HTTP 302"),
    "a byte order mark": (400, {}, b'\xef\xbb\xbf{"error": {"message": "no way"}}', r"400, no way\)"),
    "another encoding": (400, {}, '{"error": {"message": "no way"}}'.encode("utf-16"), r"400, no way\)"),
    "escapes": (400, {}, b'{"error": "\\u001b[31mred\\u0007\\u202e"}', "red"),
}


@pytest.mark.parametrize("stub", ["openai"], indirect=True)
def test_what_stands_between_is_bounded_and_named(stub):
    asking = text(client(stub, server="openai"))
    for name, (status, headers, body, words) in PAGES.items():
        stub.says(model_servers.Reply(status, body, headers, content_type="text/html"))

        with pytest.raises(GrowbinError, match=words) as raised:
            asking.compose(RULE, None, "ko")

        assert len(str(raised.value)) < 400, name
        assert str(raised.value).isprintable(), name
    assert len(stub.all_requests) == len(PAGES)


@pytest.mark.parametrize("stub", ["openai"], indirect=True)
def test_a_whole_object_is_an_answer_though_the_cap_ended_what_stands_behind_it(stub):
    """A model in JSON mode may write blanks for ever: asked again, with four times the cap, it writes them again."""
    answer = expected(picture())
    content = answer.model_dump_json() + "\n" * 900
    whole = {"choices": [{"message": {"content": content}, "finish_reason": "length"}]}
    stub.says(model_servers.Reply(200, json.dumps(whole).encode()))

    assert vision(client(stub, server="openai")).classify(picture()) == answer
    assert len(stub.all_requests) == 1


@pytest.mark.parametrize("stub", ["openai"], indirect=True)
def test_what_may_have_been_billed_is_asked_no_more_often_than_after_a_deadline(stub):
    """The connection ends in the middle of an answer; a gateway's deadline passes before the model's."""
    asking = text(client(stub, server="openai"))
    for reply in (
        model_servers.Reply(200, b'{"choices": [{"message": {"content": "' + b"a" * 500, how="cut"),
        model_servers.Reply(504, b"<html><title>504 Gateway Time-out</title></html>", content_type="text/html"),
        model_servers.Reply(524, b"error code: 524", content_type="text/plain"),
    ):
        stub.says(reply)
        with pytest.raises(Transient) as raised:
            asking.compose(RULE, None, "ko")
        assert raised.value.max_retries == 2
    for status in (500, 502, 503, 520, 522):
        stub.says(model_servers.Reply(status, b""))
        with pytest.raises(Transient) as raised:
            asking.compose(RULE, None, "ko")
        assert raised.value.max_retries is None


@pytest.mark.parametrize("stub", ["openai"], indirect=True)
def test_a_compressed_answer_is_an_answer(stub):
    answer = b'{"choices": [{"message": {"content": "\xec\x95\x88\xeb\x85\x95"}}]}'
    stub.says(model_servers.Reply(200, gzip.compress(answer), {"content-encoding": "gzip"}))

    assert text(client(stub, server="openai")).compose(RULE, None, "ko").text == "안녕"
