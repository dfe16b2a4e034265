"""What a script sends: query parameters and forms are one, as in Flower; a JSON body where a message is sent."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Depends, Request
from starlette.requests import ClientDisconnect

from growbin_jobs.monitor.security.refusals import BadInput

_TRUE: Final = frozenset({"y", "yes", "t", "true", "on", "1"})


@dataclass(frozen=True, slots=True)
class Given:
    """Arguments by name; of one that comes several times the last, and the form before the query."""

    values: dict[str, str]

    def text(self, name: str) -> str | None:
        """Return an argument; None where it is missing or empty."""
        return self.values.get(name) or None

    def needed(self, name: str) -> str:
        """Return an argument.

        Raises:
          BadInput: It is missing.
        """
        found = self.text(name)
        if found is None:
            raise BadInput(f"Missing argument {name}.")
        return found

    def chosen(self, name: str) -> str | None:
        """Return an argument; None where it is missing or ``All``."""
        found = self.text(name)
        return None if found == "All" else found

    def flag(self, name: str) -> bool:
        """Return whether an argument says yes in one of Flower's words."""
        return (self.text(name) or "").lower() in _TRUE

    def number(self, name: str) -> int | None:
        """Return a whole number that is not negative; None where it is missing.

        Raises:
          BadInput: It is none.
        """
        found = self.text(name)
        if found is None:
            return None
        if not (found.isascii() and found.isdigit() and len(found) < 19):
            raise BadInput(f"{name} must be a whole number that is not negative.")
        return int(found)

    def seconds(self, name: str) -> float | None:
        """Return seconds that are not negative; None where they are missing.

        Raises:
          BadInput: They are none.
        """
        found = self.text(name)
        return None if found is None else seconds_of(name, found)


async def _given(request: Request) -> Given:
    values = dict(request.query_params.multi_items())
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/x-www-form-urlencoded", "multipart/form-data"):
        async with request.form() as form:
            values |= {name: value for name, value in form.multi_items() if isinstance(value, str)}
    return Given(values)


async def _body(request: Request) -> dict[str, Any]:
    try:
        text = await request.body()
    except ClientDisconnect:
        raise BadInput("The request was cut off.") from None
    if not text.strip():
        return {}
    try:
        found = json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise BadInput('The body must be JSON, such as {"args": [1, 2]}; NaN and infinities are none.') from None
    if not isinstance(found, dict):
        raise BadInput('The body must be a JSON object, such as {"args": [1, 2]}.')
    return found


def _no_number(name: str) -> Any:
    raise ValueError(name)


#: Arguments of the query and of a form.
Arguments = Annotated[Given, Depends(_given)]

#: The JSON object of the body; empty where there is none.
Body = Annotated[dict[str, Any], Depends(_body)]


def seconds_of(name: str, value: Any) -> float:
    """Return seconds that are not negative.

    Raises:
      BadInput: They are none, or beyond ten years.
    """
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not 0 <= found <= 315_360_000:
        raise BadInput(f"{name} must be seconds: a number that is not negative, ten years at most.")
    return found


def moment_of(name: str, value: Any, zone: ZoneInfo, *, late: bool = False) -> datetime:
    """Return a time, aware, in UTC.

    Parameters:
      value: Such as ``2026-11-28 09:30``, with seconds and an offset too.
      zone: Of a time without an offset.
      late: Of an hour that comes twice take the second; else the first.

    Raises:
      BadInput: It is none.
    """
    try:
        found = datetime.fromisoformat(value)
        if found.tzinfo is None:
            found = found.replace(tzinfo=zone, fold=int(late))
        found = found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        found = datetime.min.replace(tzinfo=UTC)
    if not 1971 <= found.year <= 9000:
        raise BadInput(f"{name} must be a time, such as 2026-11-28 09:30.")
    return found
