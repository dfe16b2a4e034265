"""The catalogues are whole: both languages, the same places, everything that templates and code name."""

import re
import string
from pathlib import Path

import pytest
from starlette.requests import Request

import growbin_jobs.monitor as package
from growbin_jobs.monitor.security.permissions import Action
from growbin_jobs.monitor.words import LANGUAGES, catalogue, language_of, words_in

FOLDER = Path(package.__file__).parent
SOURCES = [*FOLDER.rglob("*.py"), *FOLDER.rglob("*.html")]


def places(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_have_the_same_sentences_with_the_same_places():
    korean, english = catalogue("ko"), catalogue("en")

    assert korean.keys() ^ english.keys() == set()
    assert {key for key in korean if places(korean[key]) != places(english[key])} == set()
    assert {key for key in korean if not korean[key].strip() or not english[key].strip()} == set()


def test_korean_is_korean_and_english_is_not():
    korean, english = catalogue("ko"), catalogue("en")

    assert {key for key, text in english.items() if re.search("[가-힣]", text)} == set()
    same = {key for key in korean if korean[key] == english[key]}
    assert {
        key
        for key in same
        if not re.fullmatch(r"[\W\d]*(API|OpenID Connect|ID|UUID|CSV|JSONL|\{\w+\})?[\W\d]*", korean[key])
    } == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_sentence_that_is_named_exists(path):
    named = set(re.findall(r"""\bw(?:ords)?\(\s*["']([\w.]+)["']\s*[,)]""", path.read_text()))

    assert named - catalogue("en").keys() == set()


def test_every_action_has_a_name():
    assert {f"action.{action}" for action in Action} - catalogue("en").keys() == set()


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "headers": raw})


@pytest.mark.parametrize(
    ("headers", "language"),
    [
        ({}, "ko"),
        ({"accept_language": "en-US,en;q=0.9,ko;q=0.8"}, "en"),
        ({"accept_language": "fr, ko;q=0.5, en;q=0.7"}, "en"),
        ({"accept_language": "fr"}, "ko"), ({"accept_language": "en;q=0, fr"}, "ko"),
        ({"accept_language": "en;q=.;;,"}, "ko"),
        ({"accept_language": "ko", "cookie": "growbin_language=en"}, "en"), ({"cookie": "growbin_language=xx"}, "ko"),
    ],
)  # fmt: skip
def test_the_chosen_language_wins_over_the_browser_s(headers, language):
    assert language_of(request(**headers), "ko") == language


def test_a_sentence_takes_values():
    assert LANGUAGES == ("ko", "en")
    assert "7" in words_in("en")("refused.too_many", seconds=7)
