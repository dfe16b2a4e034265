"""Flower's search language: ``result:…``, ``args:…``, ``kwargs:key=value``, ``state:…``, free words, ``OR``, brackets.

As Flower 2.1 describes it: what stands side by side must all be there, ``OR`` is between alternatives, brackets group.
Several states side by side are alternatives, as in Flower's releases before, since no task has two. There is no
negation.
"""

import re
from typing import Final

from growbin_jobs.engine.central.search.expressions import ALL, ANY, Expression, Or, SearchError, Term, both
from growbin_jobs.engine.central.search.grammar import DEEPEST, LONGEST, MOST_TERMS
from growbin_jobs.engine.delivery.records import TaskState

_PART: Final = re.compile(r'[()]|(?:[^\s,"()]|"(?:\\.|[^"])*")+')

#: Celery's words for states, and ours.
STATES: Final = {
    "PENDING": TaskState.PENDING,
    "RECEIVED": TaskState.PENDING,
    "STARTED": TaskState.RUNNING,
    "SUCCESS": TaskState.COMPLETED,
    "RETRY": TaskState.FAILED,
    "FAILURE": TaskState.DEAD,
}


def parse_flower(text: str) -> Expression:
    """Return what a search in Flower's language means; an empty one means everything.

    Raises:
      SearchError: A bracket or a quotation mark is open, or it is too long.
    """
    if len(text) > LONGEST:
        raise SearchError(f"The search is longer than {LONGEST} characters.", LONGEST)
    _check_pairs(text)
    parts = _PART.findall(text)
    if len(parts) > 4 * MOST_TERMS:
        raise SearchError(f"The search has more than {4 * MOST_TERMS} parts.", len(text))
    parts.reverse()
    return _alternatives(parts)


def _alternatives(parts: list[str]) -> Expression:
    """Take alternatives from the end of a reversed list, up to a closing bracket."""
    found = [_together(parts)]
    while parts and parts[-1] == "OR":
        parts.pop()
        found.append(_together(parts))
    meant = [each for each in found if each != ALL]  # an OR with nothing at one side says nothing
    if not meant:
        return ALL
    return meant[0] if len(meant) == 1 else Or(tuple(meant))


def _together(parts: list[str]) -> Expression:
    found: Expression = ALL
    states: list[Expression] = []
    while parts and parts[-1] not in ("OR", ")"):
        part = parts.pop()
        if part == "(":
            found = both(found, _alternatives(parts))
            parts.pop()  # the bracket that closes it
        elif part.startswith("state:"):
            value = _bare(part.removeprefix("state:"))
            word = STATES.get(value.upper())
            states.append(Term("state", "is", word.value if word else value.lower()))
        else:
            found = both(found, _term(part))
    return both(found, states[0] if len(states) == 1 else Or(tuple(states))) if states else found


def _term(part: str) -> Expression:
    field, colon, value = part.partition(":")
    value = _bare(value)
    if colon and field in ("args", "result"):
        return Term(field, "is", value)
    if colon and field == "kwargs":
        key, equals, wanted = value.partition("=")
        return Term("kwargs", "is", _bare(wanted), (key,)) if equals else Term("kwargs", "is", value)
    return Term(ANY, "contains", _bare(part))


def _bare(value: str) -> str:
    inner = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return inner.replace('\\"', '"')


def _check_pairs(text: str) -> None:
    opened: list[int] = []
    quoted = None
    for place, character in enumerate(text):
        if character == '"' and text[place - 1 : place] != "\\":
            quoted = place if quoted is None else None
        elif quoted is None and character == "(":
            opened.append(place)
            if len(opened) > DEEPEST:
                raise SearchError(f"Brackets are nested deeper than {DEEPEST}.", place)
        elif quoted is None and character == ")":
            if not opened:
                raise SearchError("This ) closes no bracket.", place)
            opened.pop()
    if quoted is not None:
        raise SearchError('This " is not closed by another one.', quoted)
    if opened:
        raise SearchError("This ( is not closed by a ).", opened[-1])
