"""Turns the dataclasses of operations into JSON."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any


def as_json(value: Any) -> Any:
    """Return a value that ``json.dumps`` takes.

    A dataclass becomes a dict of its fields, in their order. Its numbers named ``at`` or ``…_at`` are seconds since
    1970 and become times in ISO 8601, UTC, as all :class:`datetime` do. Bytes, which are encoded messages, become text.

    Parameters:
      value: A dataclass, or what it may hold: sequences, mappings, enums, paths, times, plain values.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _field(field.name, getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(as_json(key)): as_json(part) for key, part in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    return str(value) if isinstance(value, Path) else value


def iso(seconds: float) -> str:
    """Return a time in ISO 8601, UTC, or the number as text where no calendar has such a day.

    Parameters:
      seconds: Since 1970, UTC.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _field(name: str, value: Any) -> Any:
    is_time = name == "at" or name.endswith("_at")
    if is_time and isinstance(value, (int, float)) and not isinstance(value, bool):
        return iso(value)
    return as_json(value)
