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
        # for ever, or for longer than any limit lasts: a fault of the server
        ({"retry-after": "inf"}, DEFAULT_WAIT),
        ({"retry-after": "1e300"}, DEFAULT_WAIT),
        ({"retry-after": "999999999"}, DEFAULT_WAIT),
        ({"retry-after": "P400D"}, DEFAULT_WAIT),
        ({"retry-after": "Wed, 21 Oct 2999 07:28:00 GMT"}, DEFAULT_WAIT),
        ({"retry-after": "2999-10-21T07:28:00Z"}, DEFAULT_WAIT),
        ({"retry-after": "99999999999999999999"}, DEFAULT_WAIT),
        ({"retry-after": "inf", "x-ratelimit-reset-requests": "9s"}, 9),
        (
            {
                "x-ratelimit-reset-requests": "1e99",
                "x-ratelimit-reset-tokens": "9s",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-remaining-tokens": "0",
            },
            9,
        ),
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
        ({"x-ratelimit-reset-requests-day": "33.01", "x-ratelimit-remaining-requests-day": "0"}, 33.01),
        ({"ratelimit-reset": "50"}, 50),
        ({"x-rate-limit-reset": "50"}, 50),
        ({"anthropic-ratelimit-requests-reset": "50", "anthropic-ratelimit-requests-remaining": "0"}, 50),
        ({"anthropic-ratelimit-tokens-reset": "50", "anthropic-ratelimit-tokens-remaining": "7"}, DEFAULT_WAIT),
        ({"ratelimit": "limit=100, remaining=0, reset=50"}, 50),
        ({"ratelimit": '"minute";r=9;t=5, "day";r=0;t=50'}, 50),
        ({"ratelimit": '"default";r=9;t=50'}, DEFAULT_WAIT),
        ({"retry-after": "50, 50"}, 50),
        ({"retry-after": '"50"; comment=x'}, 50),
        ({"retry-after": "50 seconds"}, 50),
        ({"retry-after": "PT1M30S"}, 90),
        ({"x-retry-after": "50"}, 50),
        ({"ratelimitbysize-reset": "30", "ratelimitbysize-remaining": "0"}, 30),
        ({"x-ratelimit-reset": "9", "x-ratelimit-remaining": "3"}, DEFAULT_WAIT),
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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("Sat, 01 Jan 2000 00:00:30 GMT", 30),
        ("Sat, 01 Jan 2000 00:00:30 UTC", 30),
        ("Sat, 01 Jan 2000 09:00:30 +0900", 30),
        ("Fri, 31 Dec 1999 19:00:30 EST", 30),
        ("Saturday, 01-Jan-00 00:00:30 GMT", 30),
        ("Sat Jan  1 00:00:30 2000", 30),
        ("Sat, 01 Jan 2000 00:00:30", 30),
        ("2000-01-01T00:00:30Z", 30),
        ("2000-01-01 00:00:30.000", 30),
        ("2000-01-02", 86_400),
        ("946684830", None),  # a number of so few digits is seconds, and these are 30 years
        # whose hour it is nobody knows
        ("Sat, 01 Jan 2000 09:00:30 KST", None),
        ("Sat, 01 Jan 2000 09:00:30 JST (Japan)", None),
        ("Sat, 01 Jan 2000 00:00:30 GMT+9", None),
        ("Sat, 01 Jan 2000 00:00:30 +9999", None),
        ("Sat, 01 Jan 2000 24:00:30 GMT", None),
        ("tomorrow at 9", None),
    ],
)
def test_a_moment_is_reckoned_from_the_servers_own_clock(value, seconds):
    """A server whose clock, or ours, is wrong by years: its ``Date`` says from when on."""
    asked = asked_wait({"date": "Sat, 01 Jan 2000 00:00:00 GMT", "retry-after": value})

    assert asked == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Current limit: 1, Remaining: 0. Limit resets at: 2000-01-01 00:00:30 UTC", 30),
        ("Please try again at 2000-01-01T09:00:30.5+09:00.", 30.5),
        ("The limit resets on 2000-01-01 09:00:30 KST", None),
        ("Your limit will reset at 2000-01-01 09:00:30", None),
    ],
)
def test_a_moment_in_words_has_a_zone(text, seconds):
    assert asked_wait({"date": "Sat, 01 Jan 2000 00:00:00 GMT"}, text=text) == seconds


def test_a_date_that_cannot_be_read_leaves_our_own_clock():
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)

    assert 90 < asked_wait({"date": "today", "retry-after": when}) <= 100


@pytest.mark.parametrize("value", ["9" * 21 + "s", "9" * 21 + "초", "1" * 200, "1." * 60 + "1s", "9" * 60_000 + "x"])
def test_a_number_without_an_end_is_none(value):
    """To look for its unit from each of 4,000 digits took 18 s, in which no other thread of the process ran."""
    assert asked_wait({"retry-after": value, "x-ratelimit-reset-tokens": value}, value, f"try again in {value}") is None


@pytest.mark.parametrize("policy", ["remaining={}, reset=5", "remaining=0, reset={}"])
def test_a_policy_with_a_number_without_an_end_says_nothing(policy):
    """Python reads no whole number of more than 4,300 digits."""
    assert asked_wait({"ratelimit": policy.format("0" * 5000)}) is None


NAMES = ["retry-after", "retry-after-ms", "x-ms-retry-after-ms", "x-ratelimit-reset-tokens", "x-ratelimit-reset-"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text()))
def test_whatever_the_header_says_the_wait_is_bounded(headers):
    assert SHORTEST_WAIT <= wait_of(headers) <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Please try again in 7.66s. Visit …", 7.66),
        ("Please try again in 1m2s.", 62),
        ("Please try again in 9m38.016s. Need more tokens?", 578.016),
        ("Please try again in 20ms", 0.02),
        ("Please retry after 86400 seconds.", 86_400),
        ("Please retry in 36.429760048s.", 36.429760048),
        ("Your quota will reset after 12h34m16s.", 45_256),
        ("Try again in 5 minutes and 3 seconds", 303),
        ("retry after 2 hours", 7200),
        ("Retry in ~3s", 3),
        ("try again in 500 milliseconds", 0.5),
        ("30초 후에 다시 시도해 주세요", 30),
        ("请在30秒后重试", 30),
        ("다시 시도: 2분 뒤", 120),
        ("Réessayez dans 30 secondes", 30),
        ("Please try again in about 5 minutes.", 300),
        ("Rate limit resets in: 30s", 30),
        ("Rejected. Retry-After: 30", 30),
        ("1시간 30분 후에 다시 시도해 주세요", 5400),
        ("1분당 60회 한도를 넘었습니다. 12초 후에 다시 시도하세요", 12),
        ("每1分钟最多60次，请12秒后重试", 12),
        ("1分間に60回まで。2分30秒後に再試行", 150),
        ("Tente novamente em 2 horas", 7200),
        ("Повторите через 30 секунд", 30),
        ("60초당 100회 제한을 넘었습니다", None),
        ("Retry after 2026-11-30", None),
        ("Try again later.", None),
        ("We waited 5 seconds for the model.", None),
        ("Limit 6000, Used 5747, Requested 300", None),
        ("again in 5 stars", None),
    ],
)
def test_a_wait_in_words(text, seconds):
    assert asked_wait({}, text=text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("delay", "seconds"), [("38s", 38), ("45.837906927s", 45.837906927), ("20.0", 20), ("soon", None)]
)
def test_a_wait_in_a_field_of_the_error(delay, seconds):
    assert asked_wait({}, delay, "try again in 1s") == (1 if seconds is None else pytest.approx(seconds))


def test_a_moment_is_read_in_each_form(monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    soon = datetime.fromtimestamp(1_800_000_060, UTC)

    for value in ("1800000060", "1800000060000", soon.isoformat(), format_datetime(soon, usegmt=True)):
        assert asked_wait({"x-ratelimit-reset": value}) == pytest.approx(60)


@given(st.text(), st.text(), st.dictionaries(st.sampled_from(["retry-after", "x-ratelimit-reset-tokens"]), st.text()))
def test_a_wait_is_always_within_its_bounds(delay, text, headers):
    assert SHORTEST_WAIT <= wait_of(headers, delay, text) <= LONGEST_WAIT
