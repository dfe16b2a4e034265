"""Errors are foreign data: they are looked at without trusting them."""

import pytest

from growbin_jobs.engine import Permanent
from growbin_jobs.engine.foreign_errors import can_be_judged, describe


class ClassLies(Exception):
    @property
    def __class__(self):
        raise ValueError("no class")


class PermanentThatExits(Permanent):
    def __str__(self):
        raise SystemExit(3)


@pytest.mark.parametrize(("kind", "judged"), [(ValueError, True), (KeyboardInterrupt, True), (ClassLies, False)])
def test_an_error_that_does_not_tell_its_class_cannot_be_judged(kind, judged):
    assert can_be_judged(kind()) is judged


def test_an_error_without_words_is_described_by_its_class():
    assert describe(PermanentThatExits("request_invalid", detail="x")) == "PermanentThatExits"
