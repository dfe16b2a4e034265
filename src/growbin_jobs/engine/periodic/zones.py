"""Local times of a zone as instants, where clocks are set forward and back too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final
from zoneinfo import TZPATH, ZoneInfo

#: No law has set a clock at a fraction of a minute since 1972.
_STEP: Final = timedelta(minutes=1)


def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """Return the instant at which a clock of the zone shows a local time.

    A time that the clock shows twice means the first one. A time that it skips means the first instant after the gap,
    as Debian's cron has it (``man 8 cron``, *Special considerations*).

    Parameters:
      local: Without a zone, whole minutes.
      zone: Whose clock.

    Returns:
      An aware datetime in UTC.
    """
    first = local.replace(tzinfo=zone, fold=0)
    found = first.astimezone(UTC)
    if found.astimezone(zone).replace(tzinfo=None) == local:
        return found
    # Skipped: with the offset before the gap it lies after the gap, with the offset after the gap before it.
    before, after = local.replace(tzinfo=zone, fold=1).astimezone(UTC), found
    return _end_of_gap(before, after, zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a local day begins: midnight, or the end of the gap that midnight lies in."""
    return instant(datetime.combine(day, time()), zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > _STEP:
        middle = before + ((after - before) // 2 // _STEP) * _STEP
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


@cache
def tzdata_version() -> str:
    """Return the version of the time zone rules that this process uses, such as ``2026c``; ``unknown`` without a trace.

    zoneinfo takes the system's files first, and the package tzdata where there are none (Python's documentation of
    zoneinfo, *Data sources*). The system's file ``tzdata.zi`` begins with ``# version 2026c``.
    """
    for folder in TZPATH:
        if not (Path(folder) / "UTC").exists():
            continue
        for name in ("tzdata.zi", "+VERSION"):
            file = Path(folder) / name
            if file.is_file():
                with file.open() as lines:
                    return lines.readline().removeprefix("# version").strip() or "unknown"
        return "unknown"
    try:
        return version("tzdata")
    except PackageNotFoundError:
        return "unknown"
