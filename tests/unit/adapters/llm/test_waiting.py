from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.adapters.llm.waiting import DEFAULT_WAIT, LONGEST_WAIT, SHORTEST_WAIT, asked_wait, wait_of


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
        # zero and less is no wish: obeyed, it is a hot loop of all who wait
        ({"retry-after": "0"}, DEFAULT_WAIT),
        ({"retry-after": "-5"}, DEFAULT_WAIT),
        ({"retry-after": "-inf"}, DEFAULT_WAIT),
        ({"retry-after": "0s"}, DEFAULT_WAIT),
        ({"retry-after-ms": "0", "retry-after": "4"}, 4),
        ({"retry-after": "0", "x-ratelimit-reset-requests": "9s"}, 9),
        ({"retry-after": "Sat, 01 Jan 2000 00:00:00 GMT"}, DEFAULT_WAIT),
        ({"retry-after": "0.2"}, SHORTEST_WAIT),
        ({"retry-after": "86400"}, LONGEST_WAIT),
        ({"retry-after": "inf"}, LONGEST_WAIT),
        ({"retry-after": "1d2h"}, LONGEST_WAIT),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ms-retry-after-ms": "2500"}, 2.5),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, LONGEST_WAIT),
        ({"x-ratelimit-reset-requests": "4m0s", "x-ratelimit-remaining-requests": "0"}, 240),
        ({"x-ratelimit-reset-tokens": "2200ms"}, 2.2),
        ({"x-ratelimit-reset-tokens": "1h2m3.5s400ms"}, LONGEST_WAIT),
        ({"x-ratelimit-reset-project-tokens": "12s", "x-ratelimit-remaining-project-tokens": "0"}, 12),
        ({"x-ratelimit-reset-tokens_usage_based": "11s", "x-ratelimit-remaining-tokens_usage_based": "0"}, 11),
        ({"X-RateLimit-Reset-Requests": "8s"}, 8),
        # unknown, not used up
        ({"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "9s"}, DEFAULT_WAIT),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0s"}, DEFAULT_WAIT),
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


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("1d2h", 93_600), ("8.64s", 8.64), ("600ms", 0.6), ("6m0s", 360), ("2h", 7200), ("900µs", 0.0009), ("1.5m", 90)],
)
def test_durations(duration, seconds):
    assert asked_wait({"retry-after": duration}) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["s", "5x", "1d 2h", "d2", "--", "1e", "five"])
def test_what_is_no_duration_asks_nothing(text):
    assert asked_wait({"retry-after": text}) is None


def test_a_date_is_waited_for():
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 90 < wait_of({"retry-after": when}) <= 100


NAMES = ["retry-after", "retry-after-ms", "x-ms-retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-reset-"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_whatever_the_header_says_the_wait_is_bounded(headers):
    assert SHORTEST_WAIT <= wait_of(headers) <= LONGEST_WAIT
