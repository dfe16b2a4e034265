"""Windows of maintenance: times in which nobody is told."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo


def in_maintenance(windows: Iterable[Mapping[str, Any]], now: datetime) -> bool:
    """Return whether a time lies in one of the windows, rows of ``maintenance_windows``."""
    return any(_holds(window, now) for window in windows)


def _holds(window: Mapping[str, Any], now: datetime) -> bool:
    """A window holds between ``from_at`` and ``until_at``; one with ``starts`` only for so many minutes of its days.

    It begins at the local time of the zone and is as long as it says, also on days of 23 or 25 hours. A begin that the
    clocks leave out is as much later as they are put forward.
    """
    if (window["from_at"] and now < window["from_at"]) or (window["until_at"] and now >= window["until_at"]):
        return False
    if not window["starts"]:
        return bool(window["from_at"] or window["until_at"])
    zone, length = ZoneInfo(window["zone"]), timedelta(minutes=window["minutes"] or 0)
    starts = time.fromisoformat(window["starts"])
    days = {int(day) for day in (window["weekdays"] or "1234567") if day.isdigit()}
    today = now.astimezone(zone).date()
    for back in range(length.days + 2):
        day = today - timedelta(days=back)
        begin = datetime.combine(day, starts, tzinfo=zone).astimezone(UTC)
        if day.isoweekday() in days and begin <= now < begin + length:
            return True
    return False
