from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.errors import (
    DEFAULT_WAIT,
    LONGEST_WAIT,
    SHORTEST_WAIT,
    from_exception,
    from_response,
    wait_of,
)
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient

CANARY = "my-own-servers-key"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, DEFAULT_WAIT),
        ({"retry-after": "7"}, 7),
        ({"retry-after": "2.5"}, 2.5),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "1m30s"}, 90),
        ({"retry-after": "soon"}, DEFAULT_WAIT),
        ({"retry-after": "nan"}, DEFAULT_WAIT),
        ({"retry-after": ""}, DEFAULT_WAIT),
        ({"retry-after": "0"}, SHORTEST_WAIT),
        ({"retry-after": "-5"}, SHORTEST_WAIT),
        ({"retry-after": "86400"}, LONGEST_WAIT),
        ({"retry-after": "inf"}, LONGEST_WAIT),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, LONGEST_WAIT),
        ({"x-ratelimit-reset-requests": "4m0s", "x-ratelimit-remaining-requests": "0"}, 240),
        ({"x-ratelimit-reset-tokens": "2200ms"}, 2.2),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s400ms"}, LONGEST_WAIT),
        (
            {
                "x-ratelimit-reset-requests": "9s",
                "x-ratelimit-remaining-requests": "12",
                "x-ratelimit-reset-tokens": "4s",
                "x-ratelimit-remaining-tokens": "0",
            },
            4,
        ),
        ({"retry-after": "3", "x-ratelimit-reset-requests": "50s"}, 3),
    ],
)
def test_how_long_a_server_asks_to_wait(headers, seconds):
    assert wait_of(headers) == pytest.approx(seconds)


def test_a_date_is_waited_for():
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 90 < wait_of({"retry-after": when}) <= 100


@given(st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "x-ratelimit-reset-tokens"]), st.text()))
def test_whatever_the_header_says_the_wait_is_bounded(headers):
    assert SHORTEST_WAIT <= wait_of(headers) <= LONGEST_WAIT


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["error", "code", "message"]), inner),
    max_leaves=8,
)


@given(st.integers(300, 599), json_values)
def test_every_response_becomes_an_error_of_ours(status, body):
    error = from_response(status, body, {})

    assert isinstance(error, (Permanent, Transient, Deferred))
    assert "\n" not in str(error)
    assert len(str(error)) < 400


@pytest.mark.parametrize("code", ["insufficient_quota", "billing_hard_limit_reached"])
@pytest.mark.parametrize("status", [400, 403, 429])
def test_an_empty_account_is_given_up_under_any_status(status, code):
    error = from_response(status, {"error": {"code": code, "message": "x"}}, {"retry-after": "1"})

    assert isinstance(error, Permanent)
    assert error.code == "model_quota_exhausted"


def test_the_reason_is_quoted_for_whoever_has_to_mend_it():
    body = {"error": {"code": "unsupported_value", "message": "'temperature' does not support 0.2 with this model."}}

    error = from_response(400, body, {})

    assert isinstance(error, Permanent)
    assert error.params == {
        "status": 400,
        "detail": "unsupported_value: 'temperature' does not support 0.2 with this model.",
    }


@pytest.mark.parametrize(
    "message",
    [
        f"Incorrect API key provided: {CANARY}. Try again.",
        "Incorrect API key provided: sk-proj-abc123. Try again.",
        "Got header Bearer abc123 and no more",
        "cannot fetch data:image/jpeg;base64,/9j/4AAQSkZJRg== now",
        "cannot read " + "/9j/4AAQSkZJRg" * 20,
    ],
)
def test_what_is_quoted_holds_no_key_and_no_picture(message):
    for status in (400, 500):
        said = str(from_response(status, {"error": {"message": message}}, {}, secret=CANARY))
        assert "…" in said
        assert CANARY not in said
        assert "abc123" not in said
        assert "/9j/" not in said


def test_an_exception_from_elsewhere_is_named_and_not_quoted():
    error = from_exception(ValueError(CANARY))

    assert isinstance(error, GrowbinError)
    assert "ValueError" in str(error)
    assert CANARY not in str(error)
