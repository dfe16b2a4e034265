"""Errors of others: whatever they are, reading one takes bounded time, fails nowhere and shows no text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.errors import Permanent, Transient
from growbin_jobs.engine.foreign_errors import (
    MOST_ERRORS,
    MOST_TEXT,
    MOST_WORDS,
    can_be_judged,
    describe,
    is_a,
    name,
    places,
)


class Raises:
    def __get__(self, instance, owner=None):
        raise RuntimeError("secret")


class Odd(Exception):
    """Everything that can be asked of it raises."""

    __class__ = __cause__ = __context__ = __traceback__ = __notes__ = __suppress_context__ = Raises()

    def __str__(self):
        raise RuntimeError("secret")

    __repr__ = __eq__ = __hash__ = __len__ = __bool__ = __getattribute__ = __str__


class OddText(Permanent):
    def __str__(self):
        raise RuntimeError("secret")


class Metaclass(type):
    __name__ = __module__ = Raises()


def odd_class():
    return Metaclass("Strange", (Exception,), {})("secret")


def circle(length):
    errors = [ValueError("secret") for _ in range(length)]
    for error, cause in zip(errors, [*errors[1:], errors[0]], strict=True):
        error.__cause__ = cause
    return errors[0]


def chain(length):
    error = ValueError("secret")
    for _ in range(length):
        cause, error = error, KeyError("secret")
        error.__context__ = cause
    return error


def deep(depth):
    def go(left):
        if left:
            go(left - 1)
        raise ValueError("secret")

    try:
        go(depth)
    except ValueError as error:
        return error


MAKERS = {
    "odd": Odd,
    "odd text": lambda: OddText("given_up", detail="x"),
    "odd class": odd_class,
    "its own cause": lambda: circle(1),
    "two in a circle": lambda: circle(2),
    "many in a circle": lambda: circle(50),
    "many causes": lambda: chain(5_000),
    "deep": lambda: deep(900),
    "group": lambda: ExceptionGroup("secret", [ValueError("secret"), ExceptionGroup("secret", [Odd()])]),
    "huge": lambda: ValueError("secret" * 10_000_000),
    "long name": lambda: type("x" * 100_000, (Exception,), {})("secret"),
    "exit": lambda: SystemExit("secret"),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_any_error_is_read(kind):
    error = MAKERS[kind]()

    words, shown, where = describe(error), name(error), places(error)

    assert len(words) <= MOST_WORDS
    assert len(shown) <= 200
    assert len(where) <= MOST_TEXT + 1
    for text in (words, shown, where):
        assert "secret" not in text.replace('"secret"', "")  # lines of this file
        assert text.encode()


def test_long_chains_are_cut():
    assert places(chain(5_000)).count("KeyError\n") <= MOST_ERRORS


def test_notes_are_nobody_s_business():
    error = ValueError()
    error.add_note("secret note")

    assert "secret note" not in places(error)


def test_who_lies_about_its_class_is_known():
    class Liar(Exception):
        __class__ = Transient

    assert isinstance(Liar(), Transient)
    assert not is_a(Liar(), Transient)
    assert describe(Liar("secret")) == "Liar"


@given(st.text())
def test_our_own_words_are_shown(text):
    assert describe(Transient(text)) == text


def test_they_are_cut_too():
    assert len(describe(Transient("x" * 10_000_000))) == MOST_WORDS


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
