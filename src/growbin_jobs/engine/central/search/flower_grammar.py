"""Flower's search language: ``result:…``, ``args:…``, ``kwargs:key=value``, ``state:…`` and free words.

As ``parse_search_terms`` of Flower 2.1 reads it: several states are alternatives, several arguments must all be there,
and there are neither brackets nor negations. Brackets and ``OR`` are left out, since people write them all the same.
"""

import re
from typing import Final

from growbin_jobs.engine.central.search.expressions import ALL, ANY, Expression, Or, SearchError, Term, both
from growbin_jobs.engine.delivery.records import TaskState

_PART: Final = re.compile(r'(?:[^\s,"()]|"(?:\\.|[^"])*")+')

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
      SearchError: A bracket or a quotation mark is open.
    """
    _check_pairs(text)
    found: Expression = ALL
    states: list[Expression] = []
    for match in _PART.finditer(text):
        part = match[0]
        field, colon, value = part.partition(":")
        value = _bare(value)
        if part == "OR":
            continue
        if colon and field == "state":
            word = STATES.get(value.upper())
            states.append(Term("state", "is", word.value if word else value.lower()))
        elif colon and field in ("args", "result"):
            found = both(found, Term(field, "is", value))
        elif colon and field == "kwargs":
            key, equals, wanted = value.partition("=")
            found = both(found, Term("kwargs", "is", _bare(wanted), (key,)) if equals else Term("kwargs", "is", value))
        else:
            found = both(found, Term(ANY, "contains", _bare(part)))
    return both(found, states[0] if len(states) == 1 else Or(tuple(states))) if states else found


def _bare(value: str) -> str:
    inner = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    return inner.replace('\\"', '"')


def _check_pairs(text: str) -> None:
    depth, quoted = 0, None
    for place, character in enumerate(text):
        if character == '"' and text[place - 1 : place] != "\\":
            quoted = place if quoted is None else None
        elif quoted is None and character in "()":
            depth += 1 if character == "(" else -1
            if depth < 0:
                raise SearchError("This ) closes no bracket.", place)
    if quoted is not None:
        raise SearchError('This " is not closed by another one.', quoted)
    if depth:
        raise SearchError("This ( is not closed by a ).", text.rindex("("))
