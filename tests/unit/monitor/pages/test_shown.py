"""Values on pages: what they look like, and what no text can do to a page."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.monitor.pages.shown import duration, moment, number, visible


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_makes_a_tag_or_hides_or_reverses_anything(text):
    shown = str(visible(text))

    inner = shown.removeprefix('<bdi dir="auto">').removesuffix("</bdi>")
    assert re.sub(r'<span class="unseen" title="[^"<>]*">U\+[0-9A-F]+</span>', "", inner).count("<") == 0
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00\ud800-\udfff]", shown)
    shown.encode()


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"), (-5, "0 ms"), (0, "0 ms"), (0.34, "340 ms"), (0.9996, "1.0 s"), (12.44, "12.4 s"),
        (59.94, "59.9 s"), (59.96, "1 min"), (200, "3 min 20 s"),
        (3599.6, "1 h"), (7260, "2 h 1 min"), (187200, "2 d 4 h"),
    ],
)  # fmt: skip
def test_durations(seconds, words):
    assert duration(seconds) == words


@given(st.floats(0, 1e9))
def test_every_duration_has_words(seconds):
    assert re.fullmatch(r"\d+(\.\d)? (ms|s|min|h|d)( \d+ (s|min|h))?", duration(seconds))
    assert "60 s" not in duration(seconds)


def test_numbers_keep_their_digits():
    assert number(1970670598291982290) == "1,970,670,598,291,982,290"
    assert number(0.25) == "0.25"
    assert number(None) == "–"


def test_a_moment_is_utc_with_a_machine_readable_time():
    shown = str(moment(datetime(2026, 11, 28, 20, 0, tzinfo=UTC)))

    assert 'datetime="2026-11-28T20:00:00.000+00:00"' in shown
    assert "2026-11-28 20:00:00 UTC" in shown
    assert "–" in str(moment(None))
