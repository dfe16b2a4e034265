"""JSON for people and for strict readers, of documents that may be anything: endless depth, NaN, half characters.

Nothing here parses numbers, so that 64 bits keep their digits, and nothing calls itself, so that depth costs no stack.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+|"', re.DOTALL)
_INDENT: Final = "  "

#: Indentation ends here, and a value that lies deeper is given as text.
DEEPEST: Final = 64


def pretty(text: str) -> str:
    """Return a JSON text over several lines, with the letters that escapes stand for. What is no JSON stays readable.

    Parameters:
      text: Perhaps only the beginning of a document.
    """
    out: list[str] = []
    depth, empty, place = 0, False, 0
    for match in _TOKEN.finditer(text):
        part, gap = match[0], text[place : match.start()]
        place = match.end()
        if part in "}]":
            depth = max(0, depth - 1)
            out.append(part if empty else _line(depth) + part)
            empty = False
            continue
        if empty:
            out.append(_line(depth))
            empty = False
        if part in "{[":
            depth += 1
            out.append(part)
            empty = True
        elif part == ",":
            out.append("," + _line(depth))
        elif part == ":":
            out.append(": ")
        else:
            out.append((" " if gap and out and not out[-1].endswith((" ", "\n", "[", "{")) else "") + _letters(part))
    return "".join(out)


def _line(depth: int) -> str:
    return "\n" + _INDENT * min(depth, DEEPEST)


def _letters(part: str) -> str:
    if "\\u" not in part:
        return part
    try:
        return json.dumps(json.loads(part), ensure_ascii=False)
    except ValueError:
        return part


def parsed(text: str) -> tuple[Any, bool]:
    """Return what a JSON text says, and whether that could be told.

    Numbers are whole numbers of any length or floats; what no strict reader could take (NaN, too much depth, no JSON
    at all) is not told.
    """
    if _depth(text) > DEEPEST:
        return None, False
    try:
        return json.loads(text, parse_constant=_refuse), True
    except (ValueError, RecursionError):
        return None, False


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _TOKEN.finditer(text):
        if match[0] in "{[":
            depth += 1
            deepest = max(deepest, depth)
        elif match[0] in "}]":
            depth -= 1
    return deepest


def strict(value: Any) -> str:
    """Return a value as JSON that every reader takes.

    What JSON cannot say becomes text: NaN and infinities by name, bytes with escapes, half characters as U+FFFD; what
    lies deeper than :data:`DEEPEST` becomes ``…``; anything else its ``repr``, cut.
    """
    return json.dumps(_strict(value, 0), ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _strict(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    if depth >= 2 * DEEPEST:
        return "…"
    if isinstance(value, dict):
        return {str(_strict(str(key), depth)): _strict(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_strict(part, depth + 1) for part in value]
    return repr(value)[:1000]
