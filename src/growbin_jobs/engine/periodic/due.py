"""Due times: pure functions from a rule, a zone and an instant to the next due time.

APScheduler computes none of ours: 3.11.3 skips whole days and runs others twice where clocks are set (apscheduler#529,
#606), and anchors intervals at the start of a process. The rule is that of Debian's cron.
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from growbin_jobs.engine.periodic.zones import instant

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_MINUTE: Final = timedelta(minutes=1)
_HOUR: Final = timedelta(hours=1)
_DAY: Final = timedelta(days=1)


class When(Protocol):
    """A rule that says when something is due."""

    def times_after(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the due times later than an instant, in order, in UTC, without an end."""

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime:
        """Return the first due time after an instant, in UTC."""


class LocalTimes(Protocol):
    """Days and times by a zone's clock, such as a cron expression."""

    @property
    def hours(self) -> Set[int]:
        """Hours of a day."""

    @property
    def minutes(self) -> Set[int]:
        """Minutes of each of those hours."""

    def matches_day(self, day: date) -> bool:
        """Is a local day one of its days?"""


def due_between(when: When, zone: ZoneInfo, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the due times later than ``after``, up to and with ``until``, in order, in UTC."""
    return takewhile(lambda found: found <= until, when.times_after(after, zone))


def of_interval(interval: timedelta, after: datetime) -> Iterator[datetime]:
    """Yield the multiples of an interval since 1970 that come after an instant."""
    number = (after - EPOCH) // interval + 1
    while True:
        yield EPOCH + number * interval
        number += 1


def of_local_days(cron: LocalTimes, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the due times of a job that belongs to local days, after an instant.

    Parameters:
      cron: With a fixed minute and hour.
      after: An instant.
      zone: Of its times.
    """
    times = [time(hour, minute) for hour in sorted(cron.hours) for minute in sorted(cron.minutes)]
    # A gap of a whole day (Samoa, 2011) moves a due time into the next one.
    day, last = after.astimezone(zone).date() - 2 * _DAY, after
    while True:
        if cron.matches_day(day):
            for each in times:
                found = instant(datetime.combine(day, each), zone)
                if found > last:
                    yield found
                    last = found
        day += _DAY


def of_real_time(cron: LocalTimes, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the instants, in whole minutes of real time, at which the zone's clock shows what the job asks for.

    Parameters:
      cron: With a minute or hour that begins with ``*``.
      after: An instant.
      zone: Of its times.
    """
    at = after.astimezone(UTC).replace(second=0, microsecond=0) + _MINUTE
    while True:
        local = at.astimezone(zone)
        if not cron.matches_day(local.date()):
            step = _HOUR * (24 - local.hour) - _MINUTE * local.minute
        elif local.hour not in cron.hours:
            step = _HOUR - _MINUTE * local.minute
        else:
            if local.minute in cron.minutes:
                yield at
            step = _MINUTE * _to_next(cron.minutes, local.minute)
        at = _stepped(at, step, local, zone)


def _to_next(minutes: Set[int], minute: int) -> int:
    """Return the minutes to the next one that fits, at most to the end of the hour."""
    return min((each for each in minutes if each > minute), default=60) - minute


def _stepped(at: datetime, step: timedelta, local: datetime, zone: ZoneInfo) -> datetime:
    """Go on by a step, or where the clock is set on the way by one that ends before it."""
    while step > _MINUTE and (at + step).astimezone(zone).utcoffset() != local.utcoffset():
        step = max(_MINUTE, step // 2 // _MINUTE * _MINUTE)
    return at + step
