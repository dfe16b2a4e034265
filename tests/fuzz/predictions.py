"""What must become of an odd message, as far as that can be told, and said without the engine's own code."""

from __future__ import annotations

import inspect
import json
import math
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fuzz.behaviours import (
    BEHAVIOURS,
    DELAYS,
    ERRORS,
    LIMITS,
    MAX_RETRIES,
    PUT_OFF,
    RESULTS,
    RETRIED,
    SKIPPED,
    UNDECIDABLE,
    WAITS,
    Hostile,
    pick,
    value_of,
)  # fmt: skip
from fuzz.options import is_carried, is_obeyed, number

#: Codes of dead letters: wire names.
SPENT, UNDECIDED, INVALID, OWN_WORDS = "retries_exhausted", "decision_invalid", "request_invalid", "given_up"

#: Codes that an odd text may happen to be.
CODES = frozenset({SPENT, UNDECIDED, INVALID, OWN_WORDS})

#: Milliseconds within which a pause is over during a run of the fuzz test.
SHORT = 1_000


@dataclass(frozen=True, slots=True)
class End:
    """What must become of a message.

    Attributes:
      states: In the journal; ``failed``: it waits for its next run.
      codes: Of its dead letter, if it becomes one.
      runs: How often its actor runs; None: nobody can tell.
    """

    states: frozenset[str]
    codes: frozenset[str] = frozenset()
    runs: int | None = None

    def __or__(self, other: End) -> End:
        runs = self.runs if self.runs == other.runs else None
        return End(self.states | other.states, self.codes | other.codes, runs)


def dead(code: str, runs: int | None) -> End:
    return End(frozenset({"dead"}), frozenset({code}), runs)


COMPLETED = End(frozenset({"completed"}), runs=1)
WAITING = End(frozenset({"failed"}))


@dataclass(frozen=True, slots=True)
class Limits:
    """How often an actor may run, by its own options and those of its message.

    Attributes:
      retries: It has had so many already.
      most: Retries in all; None: without end.
    """

    retries: int
    most: int | None

    def spent(self, most: int | None = None) -> End:
        """Return the end of one that always fails, and whose error allows so many retries at most."""
        limits = [each for each in (self.most, most) if each is not None]
        if not limits:
            return WAITING
        return dead(SPENT, 1 + max(0, min(limits) - self.retries))


def end_of(fields: dict[str, Any]) -> End:
    """Return what must become of a message.

    Parameters:
      fields: As they were delivered to the worker.
    """
    if fields["actor_name"] != "behave":
        return dead("actor_unknown", 0)
    options = fields["options"]
    if not all(is_obeyed(name, value) for name, value in options.items()):
        return dead(INVALID, 0)
    end = _of_a_run(fields["args"], fields["kwargs"], options)
    if not is_carried(options) and end.runs != 1:
        end = dead(UNDECIDED, 1)  # no broker takes its retry
    if options.get("max_age"):
        end |= dead("too_old", None)
    return end


def _of_a_run(args: list[Any], kwargs: dict[str, Any], options: dict[str, Any]) -> End:
    try:
        call = inspect.signature(_behave).bind(*args, **kwargs).arguments
    except TypeError:
        return dead(INVALID, 0)
    limits = _limits(options)
    what, odd = call["what"], call.get("odd")
    if not (isinstance(what, str) and what in BEHAVIOURS):
        return limits.spent()  # a KeyError
    end = _OF_BEHAVIOURS[what](odd, limits, options) if what in _OF_BEHAVIOURS else COMPLETED
    limit = options.get("time_limit")
    if limit is not None and (limit < SHORT or what == "run_for_too_long"):
        end |= limits.spent() | COMPLETED
    if options.get("store_results"):
        end |= dead(UNDECIDED, None)  # what it returned may be nothing that can be kept
    if WAITING.states <= end.states or options.keys().isdisjoint({"min_backoff", "max_backoff", "max_retries"}):
        return end
    return end | WAITING if end.runs != 1 else end


def _behave(number: Any, what: Any, odd: Any = None, *args: Any, **kwargs: Any) -> None:
    """The actor's signature."""


def _limits(options: dict[str, Any]) -> Limits:
    retries, most = options.get("retries", 0), options.get("max_retries", MAX_RETRIES)
    counts = isinstance(retries, int) and 0 <= retries < 2**31  # anything else was never counted by an engine
    return Limits(retries if counts else 0, None if most == math.inf else most)


# --- by behaviour


def _raised(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    error = pick(ERRORS, odd)
    if error in RETRIED:
        return limits.spent()
    if error in UNDECIDABLE:
        return dead(UNDECIDED, 1)
    if error in SKIPPED:
        return COMPLETED
    return _put_off(options) if error in PUT_OFF else dead(INVALID, 1)


def _put_off(options: dict[str, Any]) -> End:
    since = options.get("deferred_since")
    if number(since) and -1.7e308 < since < time.time() - 90_000:  # what is larger than any float is no time
        return dead("waited_too_long", 1)
    return WAITING


def _deferred(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    wait = value_of(WAITS, odd)
    if isinstance(wait, timedelta):
        return _put_off(options)
    if not number(wait) or not abs(wait) < 2**1024:
        return dead(UNDECIDED, 1)
    return _put_off(options) if math.isfinite(wait * 1000.0) else dead(UNDECIDED, 1)


def _limited(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    most = value_of(LIMITS, odd)
    if isinstance(most, Hostile):
        return limits.spent()
    if most is None or most == math.inf:
        return limits.spent()
    counts = type(most) is int and most >= 0
    return limits.spent(most) if counts else dead(UNDECIDED, 1)


def _final(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    if isinstance(odd, list | dict):
        return dead(UNDECIDED, 1)
    return dead(odd if odd in CODES else OWN_WORDS, 1)


def _worded(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    return dead(odd if isinstance(odd, str) and odd in CODES else OWN_WORDS, 1)


def _asked_for(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    delay = value_of(DELAYS, odd)
    spent = limits.spent()
    if delay is None or spent.runs == 1:
        return spent
    if isinstance(delay, timedelta):
        return WAITING
    if not number(delay) or not abs(delay) < 2**1024 or delay > (2**28 - 1) * 1000:
        return dead(UNDECIDED, 1)
    return spent if delay <= SHORT else spent | WAITING


def _sent(value: Any, limits: Limits) -> End:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return limits.spent()
    return COMPLETED


def _sent_to_nobody(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    return COMPLETED if len(f"nobody-{odd!r}"[:200].encode("utf-8", "replace")) <= 255 else limits.spent()


def _spent(odd: Any, limits: Limits, options: dict[str, Any]) -> End:
    return limits.spent()


_OF_BEHAVIOURS = {
    "raise_something_odd": _raised,
    "raise_with_an_odd_text": _spent,
    "raise_from_an_odd_cause": _spent,
    "raise_in_a_circle": _spent,
    "raise_permanent_with_an_odd_detail": lambda odd, limits, options: dead(INVALID, 1),
    "raise_permanent_with_odd_words": _worded,
    "raise_deferred_with_an_odd_wait": _deferred,
    "raise_transient_with_odd_retries": _limited,
    "raise_transient_with_an_odd_code": _final,
    "raise_retry_with_an_odd_delay": _asked_for,
    "recurse_for_ever": _spent,
    "run_for_too_long": _spent,
    "send_what_is_no_json": lambda odd, limits, options: _sent(pick(RESULTS, odd)(), limits),
    # What an option may be is the business of another test; it is sent, or the actor fails.
    "send_with_an_odd_option": lambda odd, limits, options: COMPLETED | limits.spent(),
    "send_too_much": _spent,
    "send_to_nobody": _sent_to_nobody,
    "send_and_fail": _spent,
}
