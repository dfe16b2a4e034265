"""Days and times as people write them on the command line."""

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from growbin_jobs.errors import ConfigurationError


def first_day(written: str, zone: str, *, now: datetime | None = None) -> date:
    """Return the day that somebody wrote: a date, or how many days it lies back, such as ``7d``.

    Parameters:
      written: Such as ``2026-11-28``, ``30d``, ``today``.
      zone: Name of the time zone whose days are meant.
      now: None: now.

    Raises:
      ConfigurationError: It is neither.
    """
    today = (now or datetime.now(ZoneInfo(zone))).astimezone(ZoneInfo(zone)).date()
    if written == "today":
        return today
    if re.fullmatch(r"\d{1,5}d", written, re.ASCII):
        return today - timedelta(days=int(written[:-1]))
    try:
        return date.fromisoformat(written)
    except ValueError:
        raise ConfigurationError(f"{written!r} is no day. Write it as 2026-11-28, or 7d for seven days ago.") from None


def moment_of(written: str | None, zone: str) -> datetime | None:
    """Return the time that somebody wrote, aware; None for None.

    Parameters:
      written: Such as ``2026-12-01`` or ``2026-12-01T09:00``.
      zone: Name of the time zone that is meant where the text has none.

    Raises:
      ConfigurationError: It is no time.
    """
    if written is None:
        return None
    try:
        moment = datetime.fromisoformat(written)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(zone))
        moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ConfigurationError(f"{written!r} is no time. Write one such as 2026-12-01T09:00.") from None
    return moment
