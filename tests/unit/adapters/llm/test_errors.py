import socket
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.errors import (
    RateLimited,
    from_exception,
    from_response,
)
from growbin_jobs.adapters.llm.unreachable import why_unreachable
from growbin_jobs.errors import Deferred, GrowbinError, Permanent, Transient

CANARY = "my-own-servers-key"


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


@pytest.mark.parametrize(
    "code",
    [
        "insufficient_quota",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ],
)
@pytest.mark.parametrize("field", ["code", "type"])
@pytest.mark.parametrize("status", [400, 403, 429, 503])
def test_an_empty_account_is_given_up_under_any_status(status, field, code):
    error = from_response(status, {"error": {field: code, "message": "x"}}, {"retry-after": "1"})

    assert isinstance(error, Permanent)
    assert error.code == "model_quota_exhausted"


@pytest.mark.parametrize(
    ("status", "error", "becomes"),
    [
        *((status, "x", Transient) for status in (408, 409, 421, 423, 424, 425, 444, 449, 460, 499, 500, 530, 599)),
        *((status, "x", "model_rejected_request") for status in (400, 404, 406, 413, 414, 415, 431)),
        (407, "x", "model_rejected_request"),
        (410, "The model m is no longer available.", "model_not_offered"),
        (451, "x", "model_access_denied"),
        (429, "余额不足,请充值", "model_quota_exhausted"),
        (403, {"code": "insufficient_user_quota", "message": "用户额度不足"}, "model_quota_exhausted"),
        (400, {"code": "data_inspection_failed", "message": "x"}, "model_refused"),
        (400, "该模型不支持图片输入", "model_lacks_images"),
    ],
)
def test_a_status_and_its_words_mean_one_thing(status, error, becomes):
    found = from_response(status, {"error": error}, {}, model="m")

    assert (found.code if isinstance(found, Permanent) else type(found)) == becomes
    assert ("HTTPS_PROXY" in str(found)) == (status == 407)


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ssl.SSLCertVerificationError(1, "self-signed"), "SSL_CERT_FILE"),
        (ssl.SSLError(1, "wrong version number"), "http:// and https://"),
        (socket.gaierror(-2, "Name or service not known"), "is not known"),
        (ConnectionRefusedError(111, "refused"), "Nothing listens"),
        (OSError(101, "Network is unreachable"), "failed (OSError)"),
    ],
)
def test_why_a_server_cannot_be_reached_is_said_with_the_remedy(monkeypatch, cause, words):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    inner, outer = RuntimeError(), RuntimeError()
    inner.__cause__, outer.__cause__ = cause, inner
    assert words in why_unreachable(outer if words != "failed (OSError)" else _caused_by(cause))
    assert "PROXY" not in why_unreachable(outer)
    monkeypatch.setenv("https_proxy", "http://me:canary@proxy:3128")
    assert ("HTTPS_PROXY" in why_unreachable(outer)) == (not isinstance(cause, ssl.SSLError))
    assert "canary" not in why_unreachable(outer)


def _caused_by(cause):
    error = RuntimeError()
    error.__cause__ = cause
    return error


def test_a_redirect_says_where_to():
    error = from_response(308, "", {"location": "https://other.example/v1/chat/completions?key=canary"})

    assert "https://other.example," in str(error)
    assert "OPENAI_BASE_URL" in str(error)
    assert "canary" not in str(error)


@pytest.mark.parametrize(
    ("member", "wait"),
    [
        ({"retry_after_ms": 4000}, 4),
        ({"retryAfter": 4}, 4),
        ({"metadata": {"headers": {"X-RateLimit-Reset": "4", "X-RateLimit-Remaining": "0"}}}, 4),
        ({"metadata": {"headers": {"Retry-After": "4"}}}, 4),
    ],
)
def test_a_wait_stands_anywhere_in_an_error(member, wait):
    assert from_response(429, {"error": {"message": "x", **member}}, {}).wait == wait


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


TOO_LARGE = "Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 30601."


@pytest.mark.parametrize(
    ("message", "numbers"),
    [
        (TOO_LARGE, {"limit": 30000, "requested": 30601}),
        ("Request too large. Limit: 30,000, Requested: 1,030,601. Visit …", {"limit": 30000, "requested": 1030601}),
        ("Rate limit reached (TPM): Limit 30000, Used 29000, Requested 1500. Try again in 1s.", None),
        ("Rate limit reached (TPM): Limit 30000, Requested 30000.", None),
        ("Rate limit reached.", None),
        ("Limit many, Requested more", None),
    ],
)
def test_what_the_limit_never_grants_is_given_up_with_its_numbers(message, numbers):
    body = {"error": {"code": "rate_limit_exceeded", "type": "tokens", "message": message}}

    error = from_response(429, body, {"retry-after": "3"})

    if numbers is None:
        assert (type(error), error.wait, error.asked) == (RateLimited, 3.0, 3.0)
    else:
        assert (error.code, error.params) == ("model_request_too_large", numbers)


@pytest.mark.parametrize(
    ("status", "code", "headers", "wait"),
    [
        (503, "slow_down", {"retry-after": "60"}, 60),
        (503, "slow_down", {}, 20),
        (500, "slow_down", {}, 20),
        (503, None, {"retry-after": "60"}, 60),
        (503, None, {"x-ms-retry-after-ms": "1500"}, 1.5),
        (529, None, {"retry-after-ms": "7000"}, 7),
        (529, "overloaded_error", {}, 20),
        (503, None, {}, None),
        (503, None, {"retry-after": "0"}, None),
        (500, None, {"retry-after": "60"}, None),
        (502, "server_error", {}, None),
    ],
)
def test_a_server_that_asks_to_wait_costs_no_retry(status, code, headers, wait):
    error = from_response(status, {"error": {"code": code, "message": "slow"}}, headers)

    assert (type(error), getattr(error, "wait", None)) == (Transient if wait is None else RateLimited, wait)


@pytest.mark.parametrize(
    ("model", "said", "named"),
    [
        ("gpt-5", {"code": "model_not_found", "message": "x"}, "gpt-6-luna or gpt-6.1-sol"),
        ("gpt-5-2025-08-07", {"message": "The model `gpt-5` has been deprecated, learn more"}, "gpt-6-luna"),
        ("gpt-4o-mini", {"message": "The model `gpt-4o-mini` does not exist or you do not have access"}, "gpt-6-luna"),
        ("llava", {"code": "model_not_found"}, "growbin-jobs doctor"),
    ],
)
def test_a_model_that_is_gone_names_its_successor(model, said, named):
    error = from_response(404, {"error": said}, {}, model=model)

    assert isinstance(error, Permanent)
    assert (error.code, error.params["model"]) == ("model_not_offered", model)
    assert named in str(error)


@pytest.mark.parametrize("status", [400, 404])
def test_another_wrong_request_is_not_called_a_missing_model(status):
    error = from_response(status, {"error": {"code": "invalid_value", "message": "no such path"}}, {}, model="gpt-5")

    assert error.code == "model_rejected_request"


@pytest.mark.parametrize(
    "body",
    [
        {"error": {"message": "too few cats"}},
        {"error": "too few cats"},
        {"message": "too few cats"},
        [{"error": {"message": "too few cats"}}],
        {"detail": "too few cats"},
        {"detail": [{"loc": ["body"], "msg": "too few cats"}]},
        "too few cats",
    ],
)
def test_the_reason_is_found_in_every_form(body):
    assert "too few cats" in str(from_response(422, body, {}, secret="x"))


def test_a_page_of_a_proxy_is_not_quoted():
    said = str(from_response(404, "<html>portal</html>", {}))

    assert "no reason given" in said
    assert "OPENAI_BASE_URL" in said


@pytest.mark.parametrize(
    ("headers", "asked", "wait"),
    [
        ({"retry-after": "60"}, 60.0, 60.0),
        ({"retry-after": "3600"}, 3600.0, 300.0),
        ({"retry-after": "1000000"}, 1_000_000.0, 300.0),
        ({"retry-after": "10000000"}, None, 20.0),
        ({"retry-after": "inf"}, None, 20.0),
        ({"retry-after": "0"}, None, 20.0),
        ({"retry-after": "-5"}, None, 20.0),
        ({"retry-after": "nan"}, None, 20.0),
        ({}, None, 20.0),
    ],
)
def test_how_long_a_server_asks_to_wait_is_kept_for_the_breaker(headers, asked, wait):
    error = from_response(429, {}, headers)

    assert (error.asked, error.wait) == (asked, wait)
