"""The search language of ``/api/v2`` and of the pages::

    state:dead -actor:reports.* kwargs.user.id:1234 created:>2026-11-28T09:00 (run:>30 OR retries:1..3) "out of memory"

Terms stand beside each other (and), or with ``OR`` between them; ``-`` or ``NOT`` before a term turns it round. A term
without a field looks into ids, actors, queues, errors and messages. ``*`` in a value stands for any text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from growbin_jobs.engine.central.search.expressions import (
    ALL,
    ANY,
    DOCUMENTS,
    ERROR,
    FIELDS,
    NUMBERS,
    SPANS,
    TIMES,
    And,
    Expression,
    Not,
    Operator,
    Or,
    SearchError,
    Term,
)

#: Longest text of a search, most terms, deepest brackets.
LONGEST, MOST_TERMS, DEEPEST = 2000, 50, 20

#: Other names of fields.
ALIASES: Final = {
    "status": "state",
    "task": "actor",
    "name": "actor",
    "uuid": "id",
    "received": "created",
    "ended": "completed",
    "runtime": "run",
}

_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<open>\()|(?P<close>\))|(?P<term>-?(?:[^\s()":]+:)?(?:"(?:\\.|[^"\\])*"|[^\s()"]+)|-(?=\())|(?P<bad>"))""",
    re.VERBOSE,
)
_FIELD: Final = re.compile(r"(?P<minus>-?)(?:(?P<field>[^\s():\"]+?):)?(?P<value>.*)", re.DOTALL)
_RANGE: Final = re.compile(r"(?P<first>.+?)\.\.(?P<last>.+)")
_COMPARISONS: Final[tuple[Operator, ...]] = ("<=", ">=", "<", ">")
_AGO: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse(text: str, *, zone: tzinfo = UTC, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Expression:
    """Return what a search means; an empty one means everything.

    Parameters:
      text: In the language above.
      zone: Of times that name none. Of an hour that comes twice, as clocks are put back, it is the first.
      now: For times such as ``created:>2h``, which means in the last two hours.

    Raises:
      SearchError: It cannot be read; the text says why, ``place`` where.
    """
    if len(text) > LONGEST:
        raise SearchError(f"The search is longer than {LONGEST} characters.", LONGEST)
    return _Parser(text, zone, now).whole()


class _Parser:
    """Reads one search from left to right."""

    def __init__(self, text: str, zone: tzinfo, now: Callable[[], datetime]) -> None:
        self._text = text
        self._zone, self._now = zone, now
        self._tokens = list(self._scan())
        self._at = self._terms = 0

    def whole(self) -> Expression:
        if not self._tokens:
            return ALL
        found = self._either(0)
        if self._at < len(self._tokens):
            raise SearchError("This ) closes no bracket.", self._tokens[self._at][2])
        return found

    def _scan(self) -> list[tuple[str, str, int]]:
        found, place = [], 0
        end = len(self._text.rstrip())
        while place < end:
            match = _TOKEN.match(self._text, place)
            if match is None or match["bad"]:
                raise SearchError('This " is not closed by another one.', self._text.index('"', place))
            kind = str(match.lastgroup)
            found.append((kind, match[kind], match.start(kind)))
            place = match.end()
        return found

    def _peek(self) -> tuple[str, str, int]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "", len(self._text))

    def _either(self, depth: int) -> Expression:
        parts = [self._all(depth)]
        while self._peek()[:2] == ("term", "OR"):
            self._at += 1
            parts.append(self._all(depth))
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _all(self, depth: int) -> Expression:
        parts: list[Expression] = []
        while True:
            kind, text, place = self._peek()
            if kind in ("end", "close") or text == "OR":
                break
            if text == "AND" and parts:
                self._at += 1
                continue
            parts.append(self._one(depth))
        if not parts:
            raise SearchError("Something is missing here: a term such as state:dead.", place)
        return parts[0] if len(parts) == 1 else And(tuple(parts))

    def _one(self, depth: int) -> Expression:
        kind, text, place = self._peek()
        self._at += 1
        if kind == "term" and text in ("-", "NOT"):
            if self._peek()[0] not in ("open", "term"):
                raise SearchError(f"Something is missing behind {text}: a term such as state:dead.", place)
            if depth >= DEEPEST:
                raise SearchError(f"Brackets lie deeper than {DEEPEST}.", place)
            return Not(self._one(depth + 1))
        if kind != "open":
            return self._term(text, place)
        if depth >= DEEPEST:
            raise SearchError(f"Brackets lie deeper than {DEEPEST}.", place)
        inner = self._either(depth + 1)
        if self._peek()[0] != "close":
            raise SearchError("This ( is not closed by a ).", place)
        self._at += 1
        return inner

    def _term(self, text: str, place: int) -> Expression:
        self._terms += 1
        if self._terms > MOST_TERMS:
            raise SearchError(f"There are more than {MOST_TERMS} terms.", place)
        match = _FIELD.fullmatch(text)
        assert match is not None
        minus, field, value = match["minus"], match["field"], match["value"]
        if field is not None and field.startswith('"'):
            field, value = None, text
        quoted = len(value) > 1 and value.startswith('"') and value.endswith('"')
        value = re.sub(r"\\(.)", r"\1", value[1:-1]) if quoted else value
        found = self._of_field(field, value, place, quoted=quoted)
        return Not(found) if minus else found

    def _of_field(self, field: str | None, value: str, place: int, *, quoted: bool) -> Expression:
        if not value:
            raise SearchError(f"{field or 'A term'} has no value.", place)
        if field is None:
            return Term(ANY, "contains", value)
        head, *path = field.split(".")
        name = ALIASES.get(head.lower(), head.lower())
        if name not in FIELDS:
            raise SearchError(
                f"There is no field {field!r}: {', '.join(FIELDS)}. Put quotes around a text with a colon.", place
            )
        if name == "kwargs" and not path and "=" in value and not quoted:  # as Flower writes it
            key, _, value = value.partition("=")
            path = [key]
        if path and name not in DOCUMENTS:
            raise SearchError(f"{name} has no parts; only {', '.join(DOCUMENTS)} have.", place)
        return self._compared(name, tuple(path), value, place, quoted=quoted)

    def _compared(self, name: str, path: tuple[str, ...], value: str, place: int, *, quoted: bool) -> Expression:
        span = None if quoted or name == ERROR else _RANGE.fullmatch(value)
        if span and (name in TIMES or name in NUMBERS or name in SPANS or path):
            first = self._value(name, span["first"], place)
            return And((Term(name, ">=", first, path), Term(name, "<=", self._value(name, span["last"], place), path)))
        operator = next((each for each in _COMPARISONS if not quoted and value.startswith(each)), None)
        if operator is not None and (name in TIMES or name in NUMBERS or name in SPANS or path):
            return Term(name, operator, self._value(name, value[len(operator) :], place), path)
        if name in TIMES:
            first = self._value(name, value, place)
            assert isinstance(first, datetime)
            return And((Term(name, ">=", first), Term(name, "<", first + _precision(value))))
        if name == ERROR:
            return Term(name, "contains", value)
        word = value.lower() if name == "state" else value
        return Term(name, "is", self._value(name, word, place), path)

    def _value(self, name: str, value: str, place: int) -> str | datetime | float:
        if name in TIMES:
            return self._time(value, place)
        if name in NUMBERS or name in SPANS:
            try:
                number = float(value)
            except ValueError:
                raise SearchError(f"{name} is compared with a number, and {value!r} is none.", place) from None
            if not math.isfinite(number) or abs(number) > 1e15:
                raise SearchError(f"{name} is compared with a number of ordinary size.", place)
            return number
        return value

    def _time(self, value: str, place: int) -> datetime:
        ago = _AGO.fullmatch(value)
        try:
            if ago:
                return self._now() - timedelta(**{_UNITS[ago[2]]: float(ago[1])})
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=self._zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise SearchError(
                f"{value!r} is no time: write 2026-11-28, 2026-11-28T09:30, or 2h for two hours ago.", place
            ) from None


def _precision(value: str) -> timedelta:
    """Return how long the time that was written is: a day, a minute or a second."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return timedelta(days=1)
    return timedelta(minutes=1) if re.fullmatch(r".{10}[T ]\d\d:\d\d", value) else timedelta(seconds=1)
