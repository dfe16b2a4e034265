"""Recorded sentences in Korean."""

import re
from pathlib import Path

import pytest

import growbin_jobs
from growbin_jobs.cli.recorded import KOREAN, shown
from growbin_jobs.platform.health.agents import FAILURES

PLACEHOLDER = re.compile(r"\{[^}]+\}")
ROOT = Path(growbin_jobs.__file__).parent
SOURCES = "".join(path.read_text() for room in ("scheduler", "platform/health") for path in (ROOT / room).glob("*.py"))


@pytest.mark.parametrize("english", KOREAN)
def test_a_sentence_of_the_table_is_one_that_the_code_records(english):
    assert f'"{english}"' in SOURCES
    assert sorted(PLACEHOLDER.findall(english)) == sorted(PLACEHOLDER.findall(KOREAN[english]))
    assert any("가" <= letter <= "힣" for letter in KOREAN[english])


@pytest.mark.parametrize("failure", FAILURES)
def test_why_a_check_failed_is_said_in_korean(failure):
    sentence = FAILURES[failure][1]

    assert shown(sentence, "ko") != sentence
    assert shown(sentence, "en") == sentence


def test_names_and_numbers_stay_what_they_are():
    assert shown("waits for statistics.aggregate_weekly", "ko").startswith("statistics.aggregate_weekly ")
    assert shown("waits for the run before it", "ko") == KOREAN["waits for the run before it"]
    assert shown("the key is denied (HTTP 401)", "ko") == "키가 거부되었습니다(HTTP 401)"
    assert shown("paused by ada: two words: and\nmore", "ko") == "ada이(가) 일시 중지했습니다: two words: and\nmore"


def test_what_the_table_does_not_have_is_shown_as_it_is():
    assert shown("the agents' table is locked", "ko") == "the agents' table is locked"
    assert shown(None, "ko") == ""
