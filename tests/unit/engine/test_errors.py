"""What an error may be made of, and what it refuses in words."""

import math
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.errors import DecisionInvalid, Deferred, Permanent, Transient
from growbin_jobs.engine.foreign_errors import MOST_ERRORS, describe, places
from growbin_jobs.engine.reasons import REASONS


def test_a_registered_code_is_kept_and_becomes_its_sentence():
    error = Permanent("retries_exhausted", attempts=4, detail="ValueError")

    assert (error.code, error.params) == ("retries_exhausted", {"attempts": 4, "detail": "ValueError"})
    assert "4" in str(error)


@pytest.mark.parametrize("words", ["The invoice was cancelled.", "kein Code", "", 404, None, ValueError("secret")])
def test_own_words_are_a_sentence_and_never_a_key_error(words):
    error = Permanent(words, order=7)

    assert error.code == "given_up"
    assert error.params["order"] == 7
    assert "secret" not in str(error)
    if words and isinstance(words, str):
        assert words in str(error)


@pytest.mark.parametrize(
    ("detail", "plain"),
    [
        (Path("/data/a"), "/data/a"),
        (Decimal("1.50"), "1.50"),
        (b"caf\xc3\xa9 \xff", "café \ufffd"),
        (timedelta(minutes=1), 60.0),
        (math.nan, "nan"),
        (math.inf, "inf"),
        (2**70, "an integer of more than 64 bits"),
        (None, "None"),
        ("\ud800", "?"),
        (["a"], "<list>"),
        (object(), "<object>"),
    ],
)
def test_a_detail_becomes_what_can_be_stored(detail, plain):
    assert Permanent("request_invalid", detail=detail).params == {"detail": plain}


@given(st.from_type(object) | st.recursive(st.none() | st.text() | st.floats() | st.integers(), st.lists))
def test_whatever_a_detail_is_it_can_be_stored(detail):
    import json

    [stored] = Permanent("request_invalid", detail=detail).params.values()

    assert json.loads(json.dumps(stored, allow_nan=False)) == stored
    str(stored).encode()  # no lone surrogate


@pytest.mark.parametrize(
    ("wait", "seconds"), [(2, 2.0), (timedelta(minutes=2), 120.0), (-1, 0.0), (timedelta(-1), 0.0)]
)
def test_a_wait_that_can_be_read_is_seconds(wait, seconds):
    assert Deferred("away", wait=wait).wait == seconds


@pytest.mark.parametrize("wait", [math.inf, math.nan, "5", None, True, [1]])
def test_a_wait_that_cannot_be_read_is_refused_in_words(wait):
    with pytest.raises(ValueError, match="finite seconds or a timedelta") as caught:
        Deferred("away", wait=wait)

    assert isinstance(caught.value, Permanent)  # raised in an actor it is a dead letter that says so
    assert caught.value.code == "decision_invalid"


@pytest.mark.parametrize("limit", ["1", 1.5, -1, True])
def test_a_limit_of_retries_that_is_none_is_refused(limit):
    with pytest.raises(DecisionInvalid, match="whole number"):
        Transient("odd", max_retries=limit)


def test_a_limit_may_be_none_or_infinite():
    assert Transient("odd", max_retries=None).max_retries is None
    assert Transient("odd", max_retries=math.inf).max_retries is None


def test_an_error_whose_text_fails_is_described_by_its_class():
    class Odd(Permanent):
        def __str__(self):
            raise RuntimeError

    assert describe(Odd("given_up", detail="x")) == "Odd"
    assert describe(ValueError("a password")) == "ValueError"


def test_places_of_causes_in_a_circle_come_to_an_end():
    one, other = ValueError("secret"), KeyError("secret")
    one.__cause__, other.__cause__ = other, one

    assert places(one).split("\n\n") == ["KeyError", "ValueError\n"]
    one.__cause__ = one
    assert places(one) == "ValueError\n"


def test_places_of_many_causes_are_bounded():
    error = last = ValueError()
    for _ in range(10_000):
        last.__cause__ = last = ValueError()

    assert places(error).count("ValueError") == MOST_ERRORS


def test_each_reason_has_a_sentence_in_both_languages():
    assert all(set(sentences) == {"ko", "en"} for sentences in REASONS.values())
