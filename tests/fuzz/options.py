"""What each option of a message may be, as docs say it; and messages as a worker must read them out of bytes."""

from __future__ import annotations

import json
import math
from typing import Any

_KINDS = {
    "queue_name": str, "actor_name": str, "args": list, "kwargs": dict, "options": dict, "message_id": str,
    "message_timestamp": int,
}  # fmt: skip

#: A message that somebody else has encoded may lack these.
_MADE_UP = {"message_id": None, "message_timestamp": 0}

#: Milliseconds that any option may be at most.
_LONGEST = 10**12


def number(value: Any) -> bool:
    """Return True for what Python, and people, take for a number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _duration(value: Any) -> bool:
    return number(value) and 0 <= value <= _LONGEST


def _duration_or_none(value: Any) -> bool:
    return value is None or _duration(value)


def _flag(value: Any) -> bool:
    return value is None or (isinstance(value, bool | int | float) and value in (0, 1))


def _nothing(value: Any) -> bool:
    """Functions, classes and messages do not travel so, and no odd text is the name of an actor."""
    return value is None


_OBEYED = {
    "max_retries": lambda value: value in (None, math.inf) or (type(value) is int and 0 <= value < 2**31),
    "min_backoff": _duration,
    "max_backoff": _duration,
    "time_limit": lambda value: value in (None, math.inf) or (_duration(value) and value >= 1),
    "max_age": _duration_or_none,
    "delay": _duration_or_none,
    "result_ttl": _duration_or_none,
    "notify_shutdown": _flag,
    "pipe_ignore": _flag,
    "store_results": _flag,
    "retry_when": _nothing,
    "throws": _nothing,
    "on_give_up": _nothing,
    "pipe_target": _nothing,
    "on_retry_exhausted": lambda value: value in (None, ""),
    "on_success": lambda value: value in (None, ""),
    "on_failure": lambda value: value in (None, ""),
}


def is_obeyed(name: str, value: Any) -> bool:
    """Return whether a worker can do what an option says; what it does not know it lets pass."""
    return name not in _OBEYED or bool(_OBEYED[name](value))


def is_carried(options: dict[str, Any]) -> bool:
    """Return whether a broker takes a message with these options again; its new ``eta`` takes the place of any."""
    priority = options.get("broker_priority")
    return priority is None or (type(priority) is int and 0 <= priority <= 255)


def read(body: bytes) -> dict[str, Any] | None:
    """Return the fields of an encoded message; None: these bytes are none. One without an id has None for it."""
    try:
        fields = json.loads(body.decode())
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not fields.keys() <= _KINDS.keys() <= (fields.keys() | _MADE_UP.keys()):
        return None
    for name, value in fields.items():
        # The queue that it lies in is its queue, whatever it says.
        if name != "queue_name" and not isinstance(value, _KINDS[name]) and not _is_time(name, value):
            return None
    fields = _MADE_UP | fields
    names = (fields["actor_name"], fields["message_id"] or "")
    return fields if all("\0" not in name and _is_text(name) for name in names) else None


def _is_time(name: str, value: Any) -> bool:
    """Return True for a time that is no whole number of milliseconds."""
    return name == "message_timestamp" and isinstance(value, float) and math.isfinite(value)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
