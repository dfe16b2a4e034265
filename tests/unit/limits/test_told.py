import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.limits.told import told_per_minute, told_requests


def headers(limit, remaining, reset, kind="requests"):
    parts = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{part}-{kind}": value for part, value in parts.items() if value is not None}


@pytest.mark.parametrize(
    ("told", "per_minute"),
    [
        (("500", "499", "120ms"), 500),
        (("500", "0", "60s"), 500),
        (("500", "0", "1m0s"), 500),
        (("60", "59", "1s"), 60),
        (("10000", "9999", "6ms"), 10_000),
        (("500", "250", "30s"), 500),
        (("500", "0", "45"), 500),
        # a day's limit is none for a minute
        (("10000", "9999", "8.64s"), None),
        (("200", "0", "1d"), None),
        (("200", "100", "12h0m0s"), None),
        # a second's neither
        (("3", "0", "1s"), None),
        # nothing used: the window is not known
        (("500", "500", "0s"), None),
        (("500", "499", "0s"), None),
        # absent and odd
        ((None, "499", "120ms"), None),
        (("500", None, "120ms"), None),
        (("500", "499", None), None),
        (("-1", "-1", "0s"), None),
        (("0", "0", "0s"), None),
        (("500", "501", "60s"), None),
        (("500", "-1", "60s"), None),
        (("many", "499", "120ms"), None),
        (("500.5", "499", "120ms"), None),
        (("5" * 40, "0", "60s"), None),
        (("500", "499", "soon"), None),
        (("500", "0", "nan"), None),
        (("500", "0", "inf"), None),
        (("٥٠٠", "0", "60s"), None),
    ],
)
def test_what_the_headers_tell(told, per_minute):
    assert told_per_minute(headers(*told)) == per_minute


def test_each_kind_has_its_own():
    told = headers("30000", "0", "60s", kind="project-tokens")

    assert told_per_minute(told, "project-tokens") == 30_000
    assert told_per_minute(told) is None


@pytest.mark.parametrize(
    ("told", "tokens", "requests"),
    [
        ({"tokens": ("30000", "0", "60s")}, 1_000, 30),
        ({"project-tokens": ("30000", "15000", "30s")}, 1_000, 30),
        ({"tokens_usage_based": ("30000", "29000", "2s")}, 1_000, 30),
        ({"requests": ("20", "19", "3s"), "tokens": ("30000", "0", "60s")}, 1_000, 20),
        ({"requests": ("500", "499", "120ms"), "tokens": ("30000", "0", "60s")}, 1_000, 30),
        ({"project-requests": ("50", "49", "1.2s")}, 0, 50),
        # a day's tokens are none for a minute, and tokens say nothing where those of a request are not known
        ({"tokens": ("2000000", "1999000", "43.2s")}, 1_000, None),
        ({"tokens": ("30000", "0", "60s")}, 0, None),
        ({"tokens": ("-1", "-1", "0s")}, 1_000, None),
        ({}, 1_000, None),
    ],
)
def test_tokens_are_told_as_requests(told, tokens, requests):
    named = {name: value for kind, values in told.items() for name, value in headers(*values, kind=kind).items()}

    assert told_requests(named, tokens) == requests


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_no_header_is_an_error(limit, remaining, reset):
    told = told_per_minute(headers(limit, remaining, reset))

    assert told is None or told > 0
