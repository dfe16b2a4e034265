import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.offered import read_models
from growbin_jobs.adapters.llm.reply import read_reply
from growbin_jobs.adapters.llm.usage import Usage, read_bill
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient


def body(message=None, **changes):
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "hello"} | (message or {}),
        "finish_reason": "stop",
    }
    return json.dumps({"model": "m", "choices": [choice]} | changes).encode()


def test_a_plain_answer():
    reply = read_reply(body(), {"x-request-id": "r"})

    assert (reply.content, reply.cut_off, reply.model, reply.usage, reply.request_id) == (
        "hello",
        False,
        "m",
        None,
        "r",
    )


@pytest.mark.parametrize("around", ["data", "result", "response"])
def test_what_a_gateway_puts_around_the_whole_answer_is_taken_off(around):
    whole = json.loads(body(usage={"prompt_tokens": 3, "completion_tokens": 2}))

    for outer in (
        {"code": 0, "msg": "success", around: whole},
        {around: whole, "success": True, "errors": []},
        [whole],
    ):
        sent = json.dumps(outer).encode()
        assert read_reply(sent, {}).content == "hello"
        assert read_bill(sent).usage == Usage(3, 0, 2, 0)
    with pytest.raises(Transient):
        read_reply(json.dumps({"msg": "no", around: {"choices": []}}).encode(), {})


def test_the_first_choice_counts_wherever_it_stands():
    choices = [{"index": at, "message": {"content": f"choice {at}"}} for at in (1, 0)]

    assert read_reply(body(choices=choices), {}).content == "choice 0"


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        ({"prompt_tokens": 100_000_001, "completion_tokens": 1}, None),
        ({"prompt_tokens": 1, "completion_tokens": 2**63}, None),
        ({"prompt_tokens": 1, "total_tokens": 10**19}, None),
        (
            {"prompt_tokens": 9, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 2**63}},
            Usage(9, 0, 1, 0),
        ),
        (None, None),
        ("many", None),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 0, 2, 0)),
        ({"prompt_tokens": 3, "completion_tokens": None, "total_tokens": 9}, Usage(3, 0, 6, 0)),
        ({"prompt_tokens": 3, "total_tokens": 1}, None),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 1}, Usage(3, 0, 2, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 10**19}, Usage(3, 0, 2, 0)),
        (
            {
                "prompt_tokens": 32,
                "completion_tokens": 9,
                "total_tokens": 135,
                "completion_tokens_details": {"reasoning_tokens": 94},
            },
            Usage(32, 0, 103, 94),
        ),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_cache_hit_tokens": 1}, Usage(3, 1, 2, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "cached_tokens": 1}, Usage(3, 1, 2, 0)),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 9}},
            Usage(3, 0, 11, 9),
        ),
        ({"input_tokens": 3, "output_tokens": 2}, Usage(3, 0, 2, 0)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": "x"}, Usage(3, 0, 2, 0)),
        (
            {"prompt_tokens": 3, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": -1}},
            Usage(3, 0, 2, 0),
        ),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 2,
                "prompt_tokens_details": {"cached_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": None},
            },
            Usage(3, 1, 2, 0),
        ),
    ],
)
def test_an_odd_count_does_not_cost_the_answer(usage, read):
    assert read_reply(body(usage=usage), {}).usage == read


@pytest.mark.parametrize("content", [5, {"a": 1}, None, [5, {"a": "x"}], [{"type": "thinking", "text": "x"}]])
def test_content_that_is_no_text_is_refused(content):
    with pytest.raises(Transient, match="it is empty"):
        read_reply(body({"content": content}), {})


@pytest.mark.parametrize(
    "message",
    [
        {"content": ["hel", "lo"]},
        {"content": {"type": "text", "text": "hello"}},
        {"content": None, "function_call": {"name": "answer", "arguments": "hello"}},
        {"content": None, "reasoning_content": "<think>x</think>hello"},
        {"content": None, "tool_calls": [{"type": "function", "function": {"name": "answer", "arguments": "hello"}}]},
        {"content": None, "tool_calls": 2 * [{"function": {"name": "answer", "arguments": "hello"}}]},
        {
            "content": [
                {"type": "thinking", "thinking": [{"type": "text", "text": "x"}]},
                {"type": "text", "text": "hello"},
            ]
        },
    ],
)
def test_the_answer_is_found_where_servers_put_it(message):
    assert read_reply(body(message), {}).content == "hello"


@pytest.mark.parametrize(
    "message",
    [{"content": {"a": 1}}, {"content": [{"type": "json", "json": {"a": 1}}]}, {"content": None, "parsed": {"a": 1}}],
)
def test_an_object_is_the_answer_only_where_a_form_was_asked_for(message):
    assert json.loads(read_reply(body(message), {}, structured=True).content) == {"a": 1}
    with pytest.raises(Transient, match="it is empty"):
        read_reply(body(message), {})


def test_words_beside_the_call_that_is_the_answer_are_not_the_answer():
    call = {"function": {"name": "answer", "arguments": '{"a": 1}'}}
    beside = body({"content": "I look at the picture.", "tool_calls": [call]})

    assert read_reply(beside, {}, structured=True).content == '{"a": 1}'
    assert read_reply(beside, {}).content == "I look at the picture."
    other = {"function": {"name": "answer", "arguments": '{"a": 2}'}}
    with pytest.raises(Transient, match="it is empty"):
        read_reply(body({"content": None, "tool_calls": [call, other]}), {}, structured=True)


@pytest.mark.parametrize("choice", [{"delta": {"content": "hello"}}, {"text": "hello"}])
def test_an_answer_in_the_form_of_another_question_is_an_answer(choice):
    assert read_reply(json.dumps({"choices": [choice]}).encode(), {}).content == "hello"


@pytest.mark.parametrize(
    ("written", "read"), [(r"hel\ud83d", "hel?"), ("hel\nlo", "hel\nlo"), (r"hel\ud83d\ude00lo", "hel😀lo")]
)
def test_a_text_that_is_no_strict_json_is_read(written, read):
    document = body({"content": "HERE"}).replace(b"HERE", written.encode())

    assert read_reply(document, {}).content == read
    assert read_bill(document).usage == read_bill(body({"content": "x"})).usage


def events(*pieces, end="data: [DONE]\n\n"):
    return (": busy\n\n" + "".join(f"data: {json.dumps(piece)}\n\n" for piece in pieces) + end).encode()


def test_a_stream_of_events_that_nobody_asked_for_is_put_together():
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    pieces = [{"model": "m", "choices": [{"delta": {"content": part}}], "usage": None} for part in ("hel", "lo")]
    whole = [*pieces, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}]

    for stream in (events(*whole), events(*whole, end=""), events(*pieces)):
        assert (read_reply(stream, {}).content, read_reply(stream, {}).model) == ("hello", "m")
    assert read_bill(events(*whole)).usage == Usage(3, 0, 2, 0)
    assert read_reply(b"data: " + body() + b"\n\n", {}).content == "hello"
    assert read_reply(b"data: " + body().replace(b", ", b",\r\ndata: ") + b"\r\n\r\n", {}).content == "hello"
    assert read_reply(events(*pieces).replace(b"}\n\n", b"}\n"), {}).content == "hello", "without blank lines"
    assert read_reply(b": busy\n\n" + body(), {}).content == "hello"
    odd = json.dumps({"choices": [{"delta": {"content": "hel\u2028\x85lo"}}]}, ensure_ascii=False)
    assert read_reply(f"data: {odd}\n\ndata: [DONE]\n\n".encode(), {}).content == "hel\u2028\x85lo"
    with pytest.raises(Transient, match="upstream failed"):
        read_reply(b"event: error\ndata: upstream failed\n\n", {})
    called = [{"choices": [{"delta": {"tool_calls": [{"function": {"arguments": part}}]}}]} for part in ("hel", "lo")]
    assert read_reply(events(*called), {}).content == "hello"
    for broken in (events(*pieces, end=""), events({"choices": []}), b"data: x", b":", events([1], None)):
        with pytest.raises(Transient):
            read_reply(broken, {})
    with pytest.raises(Deferred):
        read_reply(events(*pieces, {"error": {"code": 429, "message": "x"}}), {})


def test_thoughts_are_the_answer_only_where_a_form_was_asked_for():
    thoughts = body({"content": "", "reasoning": '{"a": 1}'})

    assert read_reply(thoughts, {}, structured=True).reasoning == '{"a": 1}'
    with pytest.raises(Transient, match="it is empty"):
        read_reply(thoughts, {})


@pytest.mark.parametrize("finish", ["length", "MAX_TOKENS", "max_tokens", "model_length", "max_output_tokens"])
def test_an_answer_that_was_cut_off_is_known_by_each_word(finish):
    assert read_reply(
        json.dumps({"choices": [{"message": {"content": ""}, "finish_reason": finish}]}).encode(), {}
    ).cut_off


@pytest.mark.parametrize(
    "choice",
    [
        {"message": {"content": ""}, "finish_reason": "content_filter"},
        {"message": {"content": None}, "finish_reason": "SAFETY"},
        {"message": {"content": ""}, "finish_reason": "content_filter: RECITATION"},
        {"finish_reason": "content_filter: PROHIBITED_CONTENT"},
        {"message": None, "finish_reason": "content-filter"},
        {"message": {"content": "Sorry."}, "finish_reason": "guardrail_intervened"},
        {"message": {"content": ""}, "finish_reason": "FINISH_REASON_SAFETY"},
        {"message": {"content": "", "refusal": "no"}, "finish_reason": "stop"},
        {"message": {"content": [{"type": "refusal", "refusal": "no"}]}, "finish_reason": "stop"},
    ],
)
def test_a_refusal_is_known_in_each_form(choice):
    with pytest.raises(Permanent) as raised:
        read_reply(json.dumps({"choices": [choice]}).encode(), {})

    assert raised.value.code == "model_refused"


@pytest.mark.parametrize("finish", ["error", "insufficient_system_resource", "network_error", "abort"])
def test_a_server_that_failed_meanwhile_says_so_in_its_reason(finish):
    with pytest.raises(Transient, match="failed while it answered"):
        read_reply(json.dumps({"choices": [{"message": {"content": "{"}, "finish_reason": finish}]}).encode(), {})


@pytest.mark.parametrize(
    ("encode", "headers"),
    [
        (lambda text: b"\xef\xbb\xbf  " + text.encode(), {}),
        (lambda text: text.encode("utf-16"), {}),
        (lambda text: text.encode("utf-16-le"), {"content-type": "application/json; charset=utf-16le"}),
        (lambda text: text.encode("euc-kr"), {"content-type": 'application/json; charset="EUC-KR"'}),
        (lambda text: text.encode(), {"content-type": "application/json; charset=iso-8859-1"}),
        (lambda text: text.encode(), {"content-type": "application/json; charset=nonsense"}),
    ],
)
def test_a_body_is_read_in_the_encoding_that_it_has(encode, headers):
    text = json.dumps({"choices": [{"message": {"content": "안녕"}}]}, ensure_ascii=False)

    assert read_reply(encode(text), headers).content == "안녕"


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        ({"code": 429, "message": "x"}, Deferred),
        ({"code": "rate_limit_exceeded"}, Deferred),
        ({"message": "upstream"}, Transient),
        ("just words", Transient),
        ({"code": "²"}, Transient),
        ("Rate limit exceeded, try again in 7s", Deferred),
        ({"message": "余额不足"}, Permanent),
    ],
)
def test_an_error_sent_as_200_is_an_error(error, becomes):
    choice = {"message": {"content": ""}, "finish_reason": "error", "error": error}
    for document in ({"error": error}, {"choices": [choice]} if isinstance(error, dict) else {"msg": error}):
        with pytest.raises(becomes):
            read_reply(json.dumps(document).encode(), {})


def test_other_forms_of_an_error_sent_as_200():
    with pytest.raises(Deferred):
        read_reply(b'{"statusCode": 429, "message": "x"}', {})
    with pytest.raises(Permanent):
        read_reply(b'{"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}, "choices": null}', {})


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["choices", "message", "content", "error", "code", "usage", "finish_reason", "data", "id"]),
            inner,
        )
    ),
    max_leaves=15,
)


@given(anything.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_no_body_raises_anything_but_our_errors(received):
    for read in (lambda: read_reply(received, {}), lambda: read_models(received)):
        with suppress(GrowbinError):
            read()
