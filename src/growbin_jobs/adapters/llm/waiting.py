"""Reads how long a model server asks to wait: ``Retry-After`` in its forms, and the rate limit headers."""

import math
import re
import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime

#: Seconds to wait when the server does not say how long, and bounds for when it does. A longer wish than the upper
#: bound (a daily limit) is met by asking again then.
DEFAULT_WAIT, SHORTEST_WAIT, LONGEST_WAIT = 20.0, 1.0, 300.0

#: Seconds that a breaker keeps everybody away at most because a server asked for it: a day's limit comes back in a day.
LONGEST_ASKED = 86_400.0

_RESET = "x-ratelimit-reset-"
_REMAINING = "x-ratelimit-remaining-"

#: Seconds of a unit in durations such as ``600ms``, ``6m0s``, ``1d2h`` (Go's, and days).
_UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|us|µs|ns|d|h|m|s)", re.ASCII)


def wait_of(headers: Mapping[str, str]) -> float:
    """Return how many seconds to wait: what the server asks for, within bounds, else the default.

    A wish of zero or less is none: whoever obeys it asks in a hot loop, together with everybody else.
    """
    asked = asked_wait(headers)
    return DEFAULT_WAIT if asked is None else min(max(asked, SHORTEST_WAIT), LONGEST_WAIT)


def asked_wait(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server asks to wait, more than zero; None where it does not say.

    Read in this order: ``retry-after-ms`` and Azure's ``x-ms-retry-after-ms``, ``retry-after`` (seconds, an HTTP date,
    or a duration), and the longest ``x-ratelimit-reset-…`` of whatever has nothing remaining
    (https://platform.openai.com/docs/guides/rate-limits, "Rate limits in headers").

    Parameters:
      headers: Of the response; their names in lower case, or a case-insensitive mapping.
    """
    milliseconds = (_number(headers.get(name)) for name in ("retry-after-ms", "x-ms-retry-after-ms"))
    wishes = [*(None if each is None else each / 1000 for each in milliseconds), _delay(headers.get("retry-after"))]
    wishes.append(max(_resets(headers), default=None))
    return next((wish for wish in wishes if wish is not None and wish > 0), None)


def rate_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return what a response says of the server's own limits, by names in lower case."""
    named = ((name.lower(), value) for name, value in headers.items())
    return {name: value for name, value in named if name.startswith("x-ratelimit-")}


def seconds_of(value: str | None) -> float | None:
    """Return the seconds of a number or a duration such as ``8.64s``, ``6m0s`` or ``1d2h``; None for anything else."""
    text = (value or "").strip()
    number = _number(text)
    return number if number is not None or not text else _duration(text)


def _resets(headers: Mapping[str, str]) -> Iterator[float]:
    """Yield the waits for limits that are used up: of requests, of tokens, of a project's tokens, and others."""
    for name in headers:
        kind = name.lower().removeprefix(_RESET)
        if kind == name.lower() or (headers.get(_REMAINING + kind) or "0").strip() != "0":
            continue
        wait = _delay(headers.get(name))
        if wait is not None:
            yield wait


def _delay(value: str | None) -> float | None:
    value = (value or "").strip()
    wait = seconds_of(value)
    if wait is not None or not value:
        return wait
    try:
        return parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None


def _duration(value: str) -> float | None:
    if _PART.sub("", value):
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(value))


def _number(value: str | None) -> float | None:
    try:
        number = float(value or "")
    except ValueError:
        return None
    return None if math.isnan(number) else number
