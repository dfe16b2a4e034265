"""Chooses among odd messages: all that show something which none before them shows, and some of the others."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from fuzz.oddities import FIRST, Odd

#: Of a message, beside what an actor is given.
_FIELDS = ("queue_name", "actor_name", "message_id", "message_timestamp", "kwargs")

#: Half of a letter, which is none by itself.
_SURROGATE = re.compile("[\ud800-\udfff]")


def various(odds: Iterable[Odd], count: int) -> list[Odd]:
    """Return so many of them, or more where more are new, in their order.

    New is a message that has a behaviour with a kind of value, an option with a kind of value, or a field of a kind
    that none before it has.
    """
    seen: set[object] = set()
    new, others = [], []
    for odd in odds:
        shown = set(_shown(odd))
        (others if shown <= seen else new).append(odd)
        seen |= shown
    room = max(0, count - len(new))
    others = others[:: max(1, len(others) // room)][:room] if room else []
    return sorted(new + others, key=lambda odd: odd.number)


def _shown(odd: Odd) -> Iterator[object]:
    if odd.message is None:
        return chain(_of_bytes(odd.body), ((name, _kind(value)) for name, value in odd.properties.items()))
    fields = vars(odd.message)
    return chain(_of_fields(fields), [("delay", _kind(odd.delay))])


def _of_bytes(body: bytes) -> Iterator[object]:
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as error:
        yield type(error), body[:8] if len(body) > 4_000 else len(body) == 0
        return
    if not isinstance(fields, dict):
        yield "JSON", _kind(fields)
        return
    yield from (("bytes", each) for each in _of_fields(fields))


def _of_fields(fields: dict[str, Any]) -> Iterator[object]:
    yield from ((name, _kind(fields.get(name, "missing"))) for name in _FIELDS)
    args, options = fields.get("args"), fields.get("options")
    match args:
        case [int(number), str(what), odd] if number >= FIRST:
            yield what, _kind(odd)
        case _:
            yield "args", _kind(args)
    if isinstance(options, dict):
        yield from ((name, _kind(value)) for name, value in options.items())
    else:
        yield "options", _kind(options)


def _kind(value: Any) -> object:
    """Return what is odd about a value, but for which one it is."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return "float", value if math.isnan(value) or math.isinf(value) else (value > 0) - (value < 0)
    if isinstance(value, int):
        return "int", (value > 0) - (value < 0), sum(abs(value) >= each for each in (2**31, 2**63, 10**300))
    if isinstance(value, str):
        return "text", bool(value), len(value) > 99, bool(_SURROGATE.search(value))
    return type(value).__name__, bool(value)
