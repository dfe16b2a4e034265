"""Days and times as people write them on the command line."""

import re
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.errors import ConfigurationError

#: Years that can be written. Beyond them a time of another zone may lie in no year that Python knows.
_YEARS: Final = range(1971, 9001)


def zone_named(name: str | None) -> ZoneInfo:
    """Return the zone of a name; without one that of the engine that this command works for.

    Raises:
      ConfigurationError: There is no such zone.
    """
    from zoneinfo import ZoneInfoNotFoundError

    from growbin_jobs.cli import target

    try:
        return ZoneInfo(name or target.config().timezone)
    except (ValueError, ZoneInfoNotFoundError):
        raise ConfigurationError(f"There is no time zone {name!r}; names are such as Asia/Seoul or UTC.") from None


def first_day(written: str, zone: str, *, now: datetime | None = None) -> date:
    """Return the day that somebody wrote: a date, or how many days it lies back, such as ``7d``.

    Parameters:
      written: Such as ``2026-11-28``, ``30d``, ``today``.
      zone: Name of the time zone whose days are meant.
      now: None: now.

    Raises:
      ConfigurationError: It is neither, or lies in no year from 1971 to 9000.
    """
    today = (now or datetime.now(ZoneInfo(zone))).astimezone(ZoneInfo(zone)).date()
    if written == "today":
        return today
    try:
        back = re.fullmatch(r"\d{1,5}d", written, re.ASCII)
        day = today - timedelta(days=int(written[:-1])) if back else date.fromisoformat(written)
    except ValueError:
        day = None
    if day is None or day.year not in _YEARS:
        raise ConfigurationError(f"{written!r} is no day. Write it as 2026-11-28, or 7d for seven days ago.")
    return day


def moment_of(written: str | None, zone: str) -> datetime | None:
    """Return the time that somebody wrote, aware; None for None.

    Parameters:
      written: Such as ``2026-12-01`` or ``2026-12-01T09:00``.
      zone: Name of the time zone that is meant where the text has none.

    Raises:
      ConfigurationError: It is no time, or lies in no year from 1971 to 9000.
    """
    if written is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        moment = None
    if moment is None or moment.year not in _YEARS:
        raise ConfigurationError(f"{written!r} is no time. Write one such as 2026-12-01T09:00.")
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))


def check_order(since: date, until: date) -> None:
    """Raise ConfigurationError where a span ends before it begins; both are days, or both are aware times."""
    if until < since:
        raise ConfigurationError(f"--to ({until}) lies before --from ({since}).")
