"""Cron expressions: five fields, checked and read into sets of numbers."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.engine.periodic import due

_MONTHS: Final = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_WEEKDAYS: Final = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}

#: Name, smallest and largest number, and names of numbers of each field, in their order.
_FIELDS: Final[tuple[tuple[str, int, int, dict[str, int]], ...]] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of the week", 0, 7, _WEEKDAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """Times of day by a cron expression, as Debian's cron understands it.

    ``minute hour day-of-month month day-of-week``: ``*``, numbers, ranges, lists and steps; months and days of the week
    by name too. **Monday is 1**, Sunday 0 or 7. Where both kinds of day are restricted, either is enough.

    A job whose minute and hour are fixed runs once a local day: right after a gap that its time lies in, and at the
    first of two equal times. One whose minute or hour begins with ``*`` runs by real time.

    Parameters:
      expression: The five fields.

    Raises:
      ConfigurationError: If it is none, or no day ever fits.
    """

    expression: str
    minutes: frozenset[int] = field(init=False, repr=False, compare=False)
    hours: frozenset[int] = field(init=False, repr=False, compare=False)
    days: frozenset[int] = field(init=False, repr=False, compare=False)
    months: frozenset[int] = field(init=False, repr=False, compare=False)
    weekdays: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        parts = self.expression.lower().split()
        if len(parts) != len(_FIELDS):
            raise ConfigurationError(f"{self.expression!r} is no cron expression: it needs five fields.")
        for name, numbers in zip(("minutes", "hours", "days", "months", "weekdays"), _read(parts), strict=True):
            object.__setattr__(self, name, numbers)
        if not self.either_day and not any(
            day <= (29 if month == 2 else calendar.monthrange(2027, month)[1])
            for month in self.months
            for day in self.days
        ):
            raise ConfigurationError(f"{self.expression!r} is never due: no month has such a day.")

    @property
    def fixed(self) -> bool:
        """True where minute and hour are fixed: the job belongs to the local day and not to real time."""
        minute, hour = self.expression.split()[:2]
        return not (minute.startswith("*") or hour.startswith("*"))

    @property
    def either_day(self) -> bool:
        """True where a day of the month or a day of the week is enough; else both must fit."""
        _, _, day, _, weekday = self.expression.split()
        return not (day.startswith("*") or weekday.startswith("*"))

    @property
    def warnings(self) -> list[str]:
        """Sentences about what people rarely mean: a day that not every month has."""
        some = sorted(day for day in self.days if day > 28)
        if not some or len(self.days) == 31 or self.either_day:
            return []
        return [f"{self.expression!r} is not due in months without a day {some[0]}: use day 1 for every month."]

    def matches_day(self, day: date) -> bool:
        """Is a local day one of its days?"""
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        fits = in_month or in_week if self.either_day else in_month and in_week
        return fits and day.month in self.months

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime:
        """Return the first due time after an instant, in UTC."""
        return next(self.times_after(after, zone))

    def times_after(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the due times after an instant, in UTC, without an end."""
        return (due.of_local_days if self.fixed else due.of_real_time)(self, after, zone)

    def __str__(self) -> str:
        return self.expression


@dataclass(frozen=True, slots=True)
class Every:
    """At a fixed interval, counted from 1970-01-01 00:00 UTC: all processes agree on the times, restarts change none.

    Parameters:
      seconds: Between two due times.
    """

    seconds: float

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime:
        """Return the first due time after an instant, in UTC."""
        return next(self.times_after(after, zone))

    def times_after(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:  # noqa: ARG002 alike in every zone
        """Yield the due times after an instant, in UTC, without an end."""
        return due.of_interval(timedelta(seconds=self.seconds), after)

    def __str__(self) -> str:
        return f"every {self.seconds:g} s"


@dataclass(frozen=True, slots=True)
class Daily:
    """Once a day, at a time of the zone."""

    hour: int = 0
    minute: int = 0

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime:
        """Return the first due time after an instant, in UTC."""
        return next(self.times_after(after, zone))

    def times_after(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the due times after an instant, in UTC, without an end."""
        return Cron(f"{self.minute} {self.hour} * * *").times_after(after, zone)


@lru_cache(maxsize=256)
def _numbers(text: str, name: str, least: int, most: int, names: tuple[tuple[str, int], ...]) -> frozenset[int]:
    known, found = dict(names), set[int]()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        try:
            every = int(step) if slash else 1
            low = least if span == "*" else known[first] if first in known else int(first)
            if span == "*" or (slash and not dash):
                high = most
            else:
                high = known.get(last, -1) if last in known else int(last) if dash else low
        except ValueError:
            raise ConfigurationError(f"{part!r} is no {name} of a cron expression.") from None
        if every < 1 or not least <= low <= high <= most:
            raise ConfigurationError(f"{part!r} is no {name} of a cron expression: from {least} to {most}.")
        found.update(range(low, high + 1, every))
    return frozenset(number % 7 for number in found) if name == "day of the week" else frozenset(found)


def _read(parts: list[str]) -> Iterator[frozenset[int]]:
    for text, (name, least, most, names) in zip(parts, _FIELDS, strict=True):
        yield _numbers(text, name, least, most, tuple(names.items()))
