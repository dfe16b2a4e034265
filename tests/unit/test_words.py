"""Errors, reasons, states and names: the words that everything else is written in."""

import re
import string
from itertools import pairwise
from pathlib import Path

import pytest

import growbin_jobs
from growbin_jobs import names
from growbin_jobs.errors import Permanent
from growbin_jobs.reasons import REASONS, reason
from growbin_jobs.states import AnalysisStatus


@pytest.mark.parametrize("code", sorted(REASONS))
def test_every_reason_is_written_in_both_languages(code):
    korean, english = REASONS[code]["ko"], REASONS[code]["en"]

    assert any("가" <= letter <= "힣" for letter in korean)
    assert english.isascii() or "×" in english
    assert english.endswith((".", "{detail}"))


def test_a_placeholder_without_a_value_shows_as_a_question_mark():
    assert "?" in reason("picture_too_small", "en", {"width": 3})


def test_a_permanent_error_is_the_english_sentence():
    error = Permanent("picture_too_small", width=3, height=4, limit=16)

    assert str(error) == "The picture is too small (3×4). Each side needs at least 16 pixels."


def test_every_code_that_the_program_raises_is_registered():
    """A code that nobody registered would be shown to people as if it were a sentence."""
    source = "".join(path.read_text() for path in Path(growbin_jobs.__file__).parent.rglob("*.py"))
    raised = set(re.findall(r"(?:Permanent|PictureRefused)\(\s*\"([a-z]+(?:_[a-z]+)+)\"", source))

    assert raised
    assert raised <= REASONS.keys()


def test_codes_of_refused_pictures_are_told_by_their_beginning():
    """Whoever has the code only, such as the recording of a failure, knows by it what became of the picture."""
    source = "".join(path.read_text() for path in Path(growbin_jobs.__file__).parent.rglob("*.py"))
    refusals = set(re.findall(r"PictureRefused\(\s*\"(\w+)\"", source))

    assert refusals == {code for code in REASONS if code.startswith("picture_")}


def test_placeholders_are_plain_names():
    for sentences in REASONS.values():
        for sentence in sentences.values():
            fields = [field for _, field, _, _ in string.Formatter().parse(sentence) if field is not None]
            assert all(field.isidentifier() for field in fields)


def test_status_ranks_follow_the_stages():
    way = [AnalysisStatus.PENDING, AnalysisStatus.UPLOADED, AnalysisStatus.CLASSIFIED, AnalysisStatus.RULE_FOUND]

    assert all(earlier.rank < later.rank for earlier, later in pairwise([*way, AnalysisStatus.COMPLETED]))
    assert way[-1].rank < AnalysisStatus.FAILED.rank < AnalysisStatus.COMPLETED.rank
    assert [status for status in AnalysisStatus if status.is_final] == [AnalysisStatus.FAILED, AnalysisStatus.COMPLETED]


def test_no_queue_belongs_to_two_groups():
    queues = [queue for group in names.GROUPS.values() for queue in group.queues]

    assert len(queues) == len(set(queues))


def test_the_ai_group_has_threads_for_both_rate_limits():
    calls_in_flight = 100 * 30 / 60 + 200 * 10 / 60

    assert names.AI.processes * names.AI.threads >= calls_in_flight
