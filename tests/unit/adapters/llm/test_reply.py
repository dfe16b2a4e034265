import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.reply import Usage, read_models, read_reply
from growbin_jobs.errors import Deferred, GrowbinError, Transient


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


@pytest.mark.parametrize(
    ("usage", "read"),
    [
        (None, None),
        ("many", None),
        ({"prompt_tokens": -1, "completion_tokens": 2}, None),
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 0, 2, 0)),
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


@pytest.mark.parametrize("content", [["parts"], 5, {"text": "x"}])
def test_content_that_is_no_text_is_refused(content):
    with pytest.raises(Transient, match="not a chat completion"):
        read_reply(body({"content": content}), {})


@pytest.mark.parametrize(
    ("error", "becomes"),
    [
        ({"code": 429, "message": "x"}, Deferred),
        ({"code": "rate_limit_exceeded"}, Deferred),
        ({"message": "upstream"}, Transient),
        ("just words", Transient),
        ({"code": "²"}, Transient),
    ],
)
def test_an_error_sent_as_200_is_an_error(error, becomes):
    with pytest.raises(becomes):
        read_reply(json.dumps({"error": error}).encode(), {})


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


def test_a_model_without_a_readable_end_has_none():
    data = [{"id": "a"}, {"id": "b", "shutdown_date": "some day"}, {"id": "c", "shutdown_date": "2027-01-14T00:00:00Z"}]

    ends = read_models(json.dumps({"data": data}).encode())

    assert [str(ends[name]) for name in "abc"] == ["None", "None", "2027-01-14"]
