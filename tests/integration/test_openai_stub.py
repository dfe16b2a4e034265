"""The online models against a server over HTTP that answers, misbehaves and stalls like real ones."""

import contextlib
import importlib.util
import json
import logging
import multiprocessing
import subprocess
import sys
import traceback
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tests import command_line

from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.adapters.llm.fitting import CAP_RAISE
from growbin_jobs.adapters.llm.sending import Sender
from growbin_jobs.adapters.llm.usage import Usage
from growbin_jobs.ai.answers import Answers
from growbin_jobs.ai.prompts import KnownItem
from growbin_jobs.ai.responses import OnlineText
from growbin_jobs.ai.vision import OnlineVision, Vision
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient
from growbin_jobs.messages import Rule, RuleSource, Text, VisionAnswer

STUB = Path(__file__).parents[1] / "stubs" / "openai_server.py"
spec = importlib.util.spec_from_file_location("openai_server", STUB)
assert spec is not None
assert spec.loader is not None
openai_server = importlib.util.module_from_spec(spec)
sys.modules["openai_server"] = openai_server
spec.loader.exec_module(openai_server)

KEY = "sk-canary-0123456789"
ITEMS = [
    KnownItem("general", "기타", "other"),
    KnownItem("pet_bottle", "페트병", "PET bottle"),
    KnownItem("cardboard", "골판지 상자", "cardboard box"),
]
NAMES = [known.item for known in ITEMS]
RULE = Rule(
    item="pet_bottle",
    name=Text(ko="페트병", en="PET bottle"),
    category="plastic",
    disposal_method=Text(ko="투명 페트병 수거함", en="Clear PET bin"),
    rules=[Text(ko="비우고 헹궈요.", en="Empty and rinse it.")],
    source=RuleSource(title="분리배출 지침", publisher="환경부", checked="2026-11-01"),
)


def picture(number: int = 0) -> bytes:
    """Bytes that begin like a JPEG; the stub does not decode them."""
    return b"\xff\xd8\xff\xe0" + number.to_bytes(4, "big") + b"picture" * 100


def expected(shown: bytes) -> VisionAnswer:
    return VisionAnswer.model_validate(openai_server.expected_answer(shown, NAMES))


@pytest.fixture
def stub() -> Iterator[Any]:
    with openai_server.StubOpenAI(key=KEY) as server:
        yield server
        assert server.violations == []


@pytest.fixture
def client(stub: Any) -> ModelClient:
    return ModelClient(api_key=KEY, base_url=stub.url, server="openai")


def vision(client: ModelClient, **options: Any) -> OnlineVision:
    call = {"model": "gpt-5", "timeout": 20.0, "max_tokens": 1000, "reasoning_effort": "minimal"}
    return OnlineVision(client, call=Call(**(call | options)), items=ITEMS)


def kept(client: ModelClient, cache: GptCache) -> Vision:
    return Vision(vision(client), Answers(VisionAnswer, cache, patience=50.0))


def text(client: ModelClient, **options: Any) -> OnlineText:
    return OnlineText(client, call=Call(**({"model": "gpt-4o-mini", "timeout": 20.0, "max_tokens": 800} | options)))


# --- asking


def test_a_picture_is_classified_and_only_what_is_meant_to_is_sent(stub, client):
    assert vision(client).classify(picture()) == expected(picture())

    (asked,) = stub.requests
    assert asked.picture == picture()
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.items == NAMES
    assert asked.body.keys() == {
        "model", "messages", "max_completion_tokens", "store", "response_format", "reasoning_effort"
    }  # fmt: skip
    assert asked.body["max_completion_tokens"] == 1000
    (image,) = [part for part in asked.body["messages"][1]["content"] if part["type"] == "image_url"]
    assert image["image_url"]["detail"] == "high"


@pytest.mark.parametrize("language", ["ko", "en"])
def test_advice_is_phrased_in_the_language(stub, client, language):
    advice = text(client, temperature=0.3).compose(RULE, expected(picture()), language)

    assert (advice.language, advice.source, advice.model) == (language, "model", "gpt-4o-mini")
    (asked,) = stub.requests
    assert asked.body["temperature"] == 0.3
    assert "reasoning_effort" not in asked.body
    assert "response_format" not in asked.body
    assert RULE.rules[0].in_language(language) in asked.body["messages"][1]["content"]


def test_tokens_and_the_request_id_come_with_the_answer(client):
    completion = client.ask_text(Call("gpt-4o-mini", 20.0, 100), [{"role": "user", "content": "?"}])

    assert completion.usage is not None
    assert (completion.usage.prompt, completion.usage.cached) == (900, 128)
    assert (completion.usage.completion, completion.usage.reasoning) == (40, 8)
    assert completion.request_id == "req_stub"
    assert completion.model == "gpt-4o-mini"


def test_an_answer_without_usage_is_an_answer(stub, client):
    stub.script("no_usage")

    assert client.ask_text(Call("gpt-4o-mini", 20.0, 100), [{"role": "user", "content": "?"}]).usage is None


def test_a_server_of_your_own_needs_no_key():
    with openai_server.StubOpenAI() as server:
        client = ModelClient(api_key=None, base_url=server.url)
        assert vision(client).classify(picture()) == expected(picture())


def test_the_offered_models_come_with_their_announced_end(client):
    assert client.models() == {"gpt-5": date(2026, 12, 11), "gpt-4o-mini": date(2027, 1, 14), "gpt-6-luna": None}


# --- failures: what each becomes

PERMANENT = {
    "400": "model_rejected_request",
    "404": "model_not_offered",
    "405": "model_rejected_request",
    "422": "model_rejected_request",
    "redirect": "model_rejected_request",
    "401": "model_access_denied",
    "403": "model_access_denied",
    "402": "model_quota_exhausted",
    "quota": "model_quota_exhausted",
    "refusal": "model_refused",
    "content_filter": "model_refused",
    "content_filter_400": "model_refused",
}
# Behaviour → how many retries the error allows; None: as many as the actor has.
TRANSIENT = {
    "408": None, "409": None, "500": None, "503": None, "drop": None, "error_200": None, "html": None,
    "cut": 2, "broken_json": 1, "no_choices": 1, "empty": 1, "null_content": 1, "always_length": 1,
}  # fmt: skip
UNUSABLE_VISION = ["not_json", "schema_break", "extra_field", "nan", "path_item", "unknown_item"]
WAITS = {
    "429": (20, 20), "429_retry_after": (7, 7), "429_date": (50, 60), "429_reset": (90, 90), "rate_limit_200": (20, 20)
}  # fmt: skip


def ask(client: ModelClient, kind: str) -> None:
    if kind == "vision":
        vision(client).classify(picture())
    else:
        text(client).compose(RULE, None, "ko")


@pytest.mark.parametrize("kind", ["vision", "text"])
@pytest.mark.parametrize("behaviour", PERMANENT)
def test_what_is_given_up(stub, client, behaviour, kind):
    stub.script(behaviour)

    with pytest.raises(Permanent) as raised:
        ask(client, kind)

    assert raised.value.code == PERMANENT[behaviour]
    assert len(stub.requests) == 1


@pytest.mark.parametrize("kind", ["vision", "text"])
@pytest.mark.parametrize("behaviour", TRANSIENT)
def test_what_is_tried_again_by_the_queue_and_not_by_the_client(stub, client, behaviour, kind):
    stub.script(behaviour, behaviour)

    with pytest.raises(Transient) as raised:
        ask(client, kind)

    assert raised.value.max_retries == TRANSIENT[behaviour]
    assert len(stub.requests) == (2 if behaviour == "always_length" else 1)


@pytest.mark.parametrize("behaviour", UNUSABLE_VISION)
def test_a_vision_answer_outside_the_schema_is_an_error_and_is_never_passed_on(stub, client, behaviour):
    stub.script(behaviour)

    with pytest.raises(Transient) as raised:
        vision(client).classify(picture())

    assert raised.value.max_retries == 1
    assert "passwd" not in str(raised.value)
    assert "user_input" not in str(raised.value)


@pytest.mark.parametrize("behaviour", WAITS)
def test_a_rate_limit_is_waited_for(stub, client, behaviour):
    stub.script(behaviour)

    with pytest.raises(Deferred) as raised:
        vision(client).classify(picture())

    shortest, longest = WAITS[behaviour]
    assert shortest <= raised.value.wait <= longest


def test_nobody_listening_is_transient():
    with openai_server.StubOpenAI() as server:
        url = server.url

    with pytest.raises(Transient, match="OPENAI_BASE_URL") as raised:
        vision(ModelClient(api_key=KEY, base_url=url)).classify(picture())

    assert raised.value.max_retries is None


@pytest.mark.parametrize("behaviour", ["hang", "drip", "drip_headers"])
def test_the_deadline_holds_wherever_the_server_stalls(stub, client, behaviour):
    client.warm_up()
    stub.script(behaviour)

    with pytest.raises(Transient) as raised:
        vision(client, timeout=0.5).classify(picture())

    assert raised.value.max_retries == 2  # it may have been billed
    assert stub.stalled == 1  # and it had no end of its own; one that drips may have seen already that we are gone


def test_after_a_deadline_the_next_call_is_not_confused_by_the_late_answer(stub, client):
    stub.script("hang")
    with pytest.raises(Transient):
        vision(client, timeout=0.3).classify(picture(1))
    stub.release()

    assert vision(client).classify(picture(2)) == expected(picture(2))


# --- repairs within one call


def test_a_cut_off_answer_raises_the_cap_once_and_for_all(stub, client):
    stub.script("length", "length", "length")
    model = vision(client)

    assert model.classify(picture(1)) == expected(picture(1))
    assert model.classify(picture(2)) == expected(picture(2))

    caps = [asked.body["max_completion_tokens"] for asked in stub.requests]
    assert caps == [1000, 1000 * CAP_RAISE, 1000 * CAP_RAISE]


def test_a_server_without_json_schema_is_asked_for_an_object_from_then_on(stub, client):
    stub.script("no_json_schema", "no_json_schema", "no_json_schema")
    model = vision(client)

    answers = [model.classify(picture(number)) for number in (1, 2)]

    assert {answer.item for answer in answers} == {"general"}  # all that the stub finds with no schema
    forms = [asked.body["response_format"]["type"] for asked in stub.requests]
    assert forms == ["json_schema", "json_object", "json_object"]
    assert '"pet_bottle"' in stub.requests[1].body["messages"][0]["content"]


def test_an_answer_that_breaks_the_schema_is_refused_without_json_schema_too(stub, client):
    stub.script("no_json_schema", "path_item")

    with pytest.raises(Transient, match="item literal_error"):
        vision(client).classify(picture())


def test_a_server_that_refuses_both_forms_rejects_the_request(stub):
    class Server(openai_server.StubOpenAI):
        def take(self, body: Any, headers: Any) -> Any:
            return openai_server.error(400, None, "response_format is not supported")

    with Server() as server, pytest.raises(Permanent) as raised:
        vision(ModelClient(api_key=KEY, base_url=server.url)).classify(picture())

    assert raised.value.code == "model_rejected_request"


# --- secrets


@pytest.mark.parametrize("behaviour", ["echo", "401", "500", "429", "drop", "html", "hang", "schema_break"])
def test_the_key_and_the_picture_are_in_no_log_and_no_error(stub, client, behaviour, caplog):
    caplog.set_level(logging.DEBUG)
    stub.script(behaviour)

    with pytest.raises(GrowbinError) as raised:
        vision(client, timeout=1.0).classify(picture())

    error = raised.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__) + repr(client) + caplog.text
    assert KEY not in shown
    assert "/9j/" not in shown
    assert error.__cause__ is None
    assert error.__context__ is None, "the SDK's error would come along, and with it the request"


# --- not paid twice


def test_the_same_picture_is_paid_for_once_by_many_threads(stub, client, tmp_path):
    service = kept(client, GptCache(tmp_path / "task_queue.db"))
    stub.script("hang")

    with ThreadPoolExecutor(20) as pool:
        seen = [pool.submit(service.answer, picture()) for _ in range(20)]
        assert stub.wait_until_holding(1)
        stub.release()
        answers = [future.result() for future in seen]

    assert {answer.answer for answer in answers} == {expected(picture())}
    assert [answer.from_cache for answer in answers].count(False) == 1
    assert set(stub.images.values()) == {1}


def test_the_same_picture_is_paid_for_once_by_two_processes(stub, client, tmp_path):
    cache = tmp_path / "task_queue.db"
    first = kept(client, GptCache(cache)).answer(picture())
    second = kept(client, GptCache(cache)).answer(picture())

    assert (first.from_cache, second.from_cache) == (False, True)
    assert first.answer == second.answer
    assert len(stub.requests) == 1


def test_a_bad_answer_is_not_kept(stub, client, tmp_path):
    service = kept(client, GptCache(tmp_path / "task_queue.db"))
    stub.script("path_item")
    with pytest.raises(Transient):
        service.answer(picture())

    assert service.answer(picture()) == (expected(picture()), "gpt-5", False)


# --- threads, greenlets, processes


def test_one_client_serves_many_threads(stub, client):
    model = vision(client)
    shown = [picture(number) for number in range(100)]

    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(model.classify, shown))

    assert answers == [expected(each) for each in shown]
    assert stub.connections <= 30


@pytest.fixture
def stub_process() -> Iterator[str]:
    """The stub as a script, so that a test may fork without forking its threads."""
    process = command_line.start_python([sys.executable, STUB], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.terminate()
    process.wait()


def _classify_many(model: OnlineVision, first: int, results: Any) -> None:
    shown = [picture(number) for number in range(first, first + 20)]
    results.put([model.classify(each).model_dump() for each in shown])


def test_each_process_gets_its_own_answers_after_a_fork(stub_process):
    model = vision(ModelClient(api_key=None, base_url=stub_process))
    model.classify(picture(999))  # the parent's connection is warm and must not be used by a child
    context = multiprocessing.get_context("fork")
    results = [context.SimpleQueue() for _ in range(4)]
    children = [
        context.Process(target=_classify_many, args=(model, 100 * number, result))
        for number, result in enumerate(results)
    ]
    for child in children:
        child.start()

    for number, result in enumerate(results):
        wanted = [expected(picture(each)).model_dump() for each in range(100 * number, 100 * number + 20)]
        assert result.get() == wanted
    for child in children:
        child.join()


def test_the_stub_as_a_script_takes_orders_and_shows_its_books(stub_process):
    def control(path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(stub_process.removesuffix("/v1") + path, data=data, timeout=10) as response:
            return json.load(response)

    control("/_stub/script", {"behaviours": ["500"], "kind": "vision"})
    model = vision(ModelClient(api_key=None, base_url=stub_process))
    with pytest.raises(Transient):
        model.classify(picture())
    model.classify(picture())

    books = control("/_stub/stats")
    assert (books["vision"], books["text"], books["violations"]) == (2, 0, [])
    assert list(books["images"].values()) == [2]
    assert list(books["answers"].values()) == [expected(picture()).model_dump()]


GREENLETS = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from growbin_jobs.adapters.llm.call import Call
from growbin_jobs.adapters.llm.client import ModelClient
from growbin_jobs.errors import Transient
client = ModelClient(api_key=None, base_url=sys.argv[1], server="openai")
ask = lambda model, seconds: client.ask_text(Call(model, seconds, 100), [{"role": "user", "content": "?"}])
assert ask("gpt-4o-mini", 20.0).answer

def stalled(model):
    try:
        ask(model, 3.0)
    except Transient as error:
        return error.max_retries

# Stalled calls meet their own deadline while others are answered, all in one thread.
slow = [gevent.spawn(stalled, model) for model in ["stub-hang", "stub-drip", "stub-drip_headers"] * 2]
fast = [gevent.spawn(ask, "gpt-4o-mini", 20.0) for _ in range(12)]
gevent.joinall(slow + fast, raise_error=True)
assert [each.value for each in slow] == [2] * 6
assert len({each.value.answer for each in fast}) == 1

with gevent.Timeout(0.3, False):
    ask("stub-hang", 20.0)
    raise AssertionError("not interrupted")
assert ask("gpt-4o-mini", 20.0).answer
print("done")
"""


def test_greenlets_share_a_client_and_keep_their_own_deadlines(stub_process):
    done = command_line.run_python([sys.executable, "-c", GREENLETS, stub_process], text=True)

    assert (done.stdout, done.stderr) == ("done\n", "")


# --- the stub itself is true to OpenAI

HONEST = [
    "ok", "not_json", "schema_break", "path_item", "refusal", "empty", "null_content", "no_usage", "content_filter",
    "length", "no_choices",
]  # fmt: skip


def asked_for(stub: Any) -> Any:
    body = {
        "model": "gpt-5",
        "messages": [{"role": "user", "content": "?"}],
        "max_completion_tokens": 10,
        "store": False,
    }
    return openai_server.Asked(body, {}, picture())


@pytest.mark.parametrize("behaviour", HONEST)
def test_the_stubs_completions_keep_to_openais_schema(stub, behaviour):
    reply = openai_server.behave(behaviour, asked_for(stub))

    assert reply.status == 200
    assert stub.check("CreateChatCompletionResponse", json.loads(reply.body)) == []


@pytest.mark.parametrize("behaviour", ["400", "401", "404", "429", "quota", "503", "content_filter_400", "echo"])
def test_the_stubs_errors_keep_to_openais_schema(stub, behaviour):
    reply = openai_server.behave(behaviour, asked_for(stub))

    assert reply.status >= 400
    assert stub.check("ErrorResponse", json.loads(reply.body)) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"temperature": 9}, "temperature"),
        ({"messages": []}, "messages"),
        ({"reasoning_effort": "turbo"}, "reasoning_effort"),
        ({"max_tokens": 5}, "max_tokens"),
        ({"store": True}, "store"),
        ({"model": "gpt-5", "temperature": 0.5}, "temperature"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a b", "strict": True, "schema": {}}}},
            "name",
        ),
        ({"response_format": {"type": "json_object"}}, "JSON"),
    ],
)
def test_the_stub_refuses_what_openai_refuses(change, said):
    body = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "?"}], "store": False} | change
    with openai_server.StubOpenAI() as server:
        reply = server.take(body, {})

    assert reply.status == 400
    assert any(said in violation for violation in server.violations)


# --- every HTTP request is measured


class Records(list[Any]):
    """A meter that keeps its records."""

    def record(self, request: Any) -> None:
        self.append(request)


COUNTED = Usage(prompt=900, cached=128, completion=40, reasoning=8)

#: Behaviour of the server → (outcome, status, tokens, billed) of each HTTP request that one call then makes.
MEASURED: dict[str, list[tuple[str, int | None, Usage | None, str]]] = {
    "ok": [("answered", 200, COUNTED, "yes")],
    "no_usage": [("answered", 200, None, "yes")],
    "schema_break": [("unusable", 200, COUNTED, "yes")],
    "refusal": [("refused", 200, COUNTED, "yes")],
    "empty": [("unusable", 200, COUNTED, "yes")],
    "html": [("failed", 200, None, "yes")],
    "length": [("unusable", 200, COUNTED, "yes"), ("answered", 200, COUNTED, "yes")],
    "no_json_schema": [("rejected", 400, None, "no"), ("answered", 200, COUNTED, "yes")],
    "400": [("rejected", 400, None, "no")],
    "401": [("denied", 401, None, "no")],
    "404": [("rejected", 404, None, "no")],
    "quota": [("no_quota", 429, None, "no")],
    "429": [("rate_limited", 429, None, "no")],
    "503": [("failed", 503, None, "no")],
    "drop": [("unreachable", None, None, "unknown")],
    "cut": [("timeout", None, None, "unknown")],
    "hang": [("timeout", None, None, "unknown")],
}


@pytest.mark.parametrize("behaviour", MEASURED)
def test_every_http_request_is_recorded_however_it_ends(stub, behaviour):
    records = Records()
    client = ModelClient(api_key=KEY, base_url=stub.url, meter=records, server="openai")
    client.warm_up()
    stub.script(behaviour)

    with contextlib.suppress(GrowbinError):
        vision(client, timeout=0.5 if behaviour == "hang" else 20.0, purpose="vision").classify(picture())

    assert [(each.outcome, each.status, each.usage, each.billed) for each in records] == MEASURED[behaviour]
    assert len(records) == len(stub.requests), "as many records as the server has seen requests"
    assert {(each.model, each.purpose) for each in records} == {("gpt-5", "vision")}
    assert all(each.latency > 0 for each in records)


def test_words_that_nobody_may_read_are_recorded_as_paid_and_unusable(stub):
    records = Records()
    client = ModelClient(api_key=KEY, base_url=stub.url, meter=records, server="openai")
    stub.script("not_json")  # in English

    with pytest.raises(Transient, match="another language"):
        text(client).compose(RULE, None, "ko")

    assert [(each.outcome, each.billed) for each in records] == [("unusable", "yes")]


def test_nobody_listening_is_recorded_too():
    with openai_server.StubOpenAI() as server:
        url = server.url
    records = Records()

    with pytest.raises(Transient):
        text(ModelClient(api_key=KEY, base_url=url, meter=records)).compose(RULE, None, "ko")

    assert [each.outcome for each in records] == ["unreachable"]


def test_a_request_that_the_worker_interrupts_is_recorded(stub, monkeypatch):
    class Interrupt(BaseException):
        """As Dramatiq's time limit raises it, in whatever line runs just then."""

    records = Records()
    client = ModelClient(api_key=KEY, base_url=stub.url, meter=records, server="openai")
    monkeypatch.setattr(Sender, "send", lambda *arguments, **options: (_ for _ in ()).throw(Interrupt))

    with pytest.raises(Interrupt):
        vision(client).classify(picture())

    assert [(each.outcome, each.billed) for each in records] == [("interrupted", "unknown")]


def test_a_meter_that_fails_costs_no_answer(stub):
    class Broken:
        def record(self, request: Any) -> None:
            raise OSError("disk full")

    assert vision(ModelClient(api_key=KEY, base_url=stub.url, meter=Broken())).classify(picture()) == expected(
        picture()
    )


def test_a_kept_answer_is_no_request(stub, tmp_path):
    records = Records()
    client = ModelClient(api_key=KEY, base_url=stub.url, meter=records, server="openai")
    service = kept(client, GptCache(tmp_path / "task_queue.db"))
    service.answer(picture())
    service.answer(picture())

    assert len(records) == 1
