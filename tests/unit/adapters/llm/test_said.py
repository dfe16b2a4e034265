import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.said import LONGEST_QUOTE, read_said

PROMPT = "당신은 한국의 분리배출을 돕는 사진 판독기입니다. 사진에서 버리려는 물건 하나를 찾아 정해진 값으로만 답합니다."


@pytest.mark.parametrize(
    ("body", "quoted"),
    [
        ({"error": {"message": "no", "code": "c"}}, "c: no"),
        ({"message": "no", "code": "c", "type": "t"}, "c: no"),
        ([{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}], "INVALID_ARGUMENT: no"),
        ({"error": "no"}, "no"),
        ({"error": {"message": json.dumps({"detail": [{"loc": ["body", "x"], "msg": "no"}]})}}, "body.x: no"),
        (
            {"object": "error", "message": "[{'type': 't', 'loc': ('body', 'x'), 'msg': 'no', 'input': 5}]"},
            "t: body.x: no",
        ),
        ("<html><head><title>502\n Bad Gateway</title></head>…", "an HTML page, 502 Bad Gateway"),
        ("<html>portal</html>", "no reason given"),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no way</Message></Error>", "no way"),
        ("<400> InternalError: x", "<400> InternalError: x"),
        ({"error": {"message": "no", "code": "None", "param": "None"}}, "no"),
        ("no claude-sonnet-4-5-20250929 or Llama-3.3-70B", "no claude-sonnet-4-5-20250929 or Llama-3.3-70B"),
        ("too\x1b[31m few\x00 cats", "too [31m few cats"),
        (None, "no reason given"),
        ({"error": {"failed_generation": "canary", "message": "no"}}, "no"),
        ({"error": {"message": "no", "input": "canary"}}, "no"),
    ],
)
def test_the_reason_is_read_in_every_form(body, quoted):
    assert read_said(body).quote() == quoted


@pytest.mark.parametrize(
    "secret",
    [
        "gsk_abcdef0123456789", "csk-abcdef0123456789", "AIzaSyA0123456789", "org_01hrsvc1b8ey0anvbgha0xckf2",
        "eyJhbGciOiJIUzI1NiJ9", "user-abc123def", "someone@example.com", "my-own-key",
        "AKIAIOSFODNN7EXAMPLE", "3ZabcDEF0123456789-Xy", "0123456789abcdef0123456789abcdef",
    ],
)  # fmt: skip
def test_keys_and_ids_of_people_are_not_quoted(secret):
    said = read_said({"error": {"message": f"refused for {secret} at https://{secret}/v1?key={secret}"}})

    assert secret not in said.quote("my-own-key")
    assert said.quote("my-own-key").startswith("refused for …")


def test_what_was_sent_is_not_quoted_back():
    said = read_said({"error": {"message": f"cannot parse: {PROMPT[10:]} - sorry"}})

    assert said.quote(sent=[PROMPT]) == "cannot parse: … - sorry"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["error", "message", "detail", "loc", "msg", "code", "retryDelay", "x"]), inner
        )
    ),
    max_leaves=20,
)


@given(
    json_values | st.text().map(lambda text: "[" + text),
    st.text(min_size=4),
    st.lists(st.text(min_size=30), max_size=2),
)
def test_a_quote_is_always_short_one_line_and_without_the_key(body, secret, sent):
    quoted = read_said(body).quote(secret, sent)

    assert 0 < len(quoted) <= LONGEST_QUOTE
    assert quoted.isprintable()
