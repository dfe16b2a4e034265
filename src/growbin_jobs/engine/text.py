"""Text that can be stored."""

from __future__ import annotations

import math
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from uuid import UUID

#: Characters of one value that a person is shown.
LONGEST = 2_000

_LARGEST = 2**63 - 1


def well_formed(text: str) -> str:
    """Return a text with ``?`` for each lone surrogate.

    JSON (``"\\ud800"``) and names of files bring them into strings; no database takes them.
    """
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def count_of(count: int, noun: str) -> str:
    """Return a count with its noun, which has its "s" unless there is one: ``1 message``, ``2 messages``.

    Parameters:
      count: How many.
      noun: In the singular.
    """
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def plain(value: object) -> str | int | float:
    """Return a value as text or number that JSON and every database can hold.

    What has a plain form keeps it: text, numbers, paths, decimals, bytes, dates, ids, members of enums. Of anything
    else only the type is named: its text may be somebody's data, or fail.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return int(value)
    if isinstance(value, float) and math.isfinite(value):
        return float(value)
    if isinstance(value, timedelta):
        return value.total_seconds()
    return _short(value)


def _short(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        value = bytes(value[:LONGEST]).decode("utf-8", "replace")
    elif isinstance(value, int):
        return "an integer of more than 64 bits"
    elif isinstance(value, date):
        value = value.isoformat()
    elif value is None or isinstance(value, float | Decimal | PurePath | UUID):
        value = str(value)
    if not isinstance(value, str):
        return f"<{type(value).__name__}>"
    value = str.__str__(value)
    return well_formed(value if len(value) <= LONGEST else value[: LONGEST - 1] + "…")
