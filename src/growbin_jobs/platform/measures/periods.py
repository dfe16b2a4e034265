"""Days, ISO weeks and months of a zone, as moments in UTC: a day has 23, 24 or 25 hours."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from growbin_jobs.errors import ConfigurationError, Permanent

Kind = Literal["daily", "weekly", "monthly"]
KINDS: Final[tuple[Kind, ...]] = ("daily", "weekly", "monthly")

#: Years that periods have: beyond them a neighbour may lie in no year that Python knows.
_YEARS: Final = range(1971, 9001)

_QUARTER: Final = timedelta(minutes=15)
_LABELS: Final[dict[Kind, str]] = {
    "daily": r"(\d{4})-(\d\d)-(\d\d)",
    "weekly": r"(\d{4})-W(\d\d)",
    "monthly": r"(\d{4})-(\d\d)",
}


@dataclass(frozen=True, slots=True)
class Period:
    """One day, week or month.

    Attributes:
      label: ``2026-11-27``, ``2026-W48`` (ISO week of its ISO year), ``2026-11``.
      zone: Name of the zone.
      since: Its begin, UTC.
      until: The begin of the next one, UTC.
    """

    kind: Kind
    label: str
    zone: str
    since: datetime
    until: datetime

    def follow(self) -> "Period":
        """Return the next period."""
        return period_at(self.kind, self.until, ZoneInfo(self.zone))


def period_at(kind: Kind, moment: datetime, zone: ZoneInfo) -> Period:
    """Return the period that a moment lies in.

    Raises:
      ConfigurationError: The zone is then no whole number of quarters of an hour away from UTC.
    """
    day = moment.astimezone(zone).date()
    # Zones have left out a whole day (Samoa, 2011-12-30): then no moment lies in it, and it is no period.
    return _period(kind, day, zone)


def period_of(kind: Kind, label: str, zone: ZoneInfo) -> Period:
    """Return the period that a label means.

    Raises:
      Permanent: ``request_invalid``, when it means none.
    """
    found = re.fullmatch(_LABELS[kind], label, re.ASCII)
    numbers = [int(part) for part in found.groups()] if found else [0]
    if numbers[0] not in _YEARS:
        numbers = [0, 0, 0]  # no calendar has a year 0
    try:
        if kind == "weekly":
            day = date.fromisocalendar(numbers[0], numbers[1], 1)
        else:
            day = date(numbers[0], numbers[1], numbers[2] if kind == "daily" else 1)
    except ValueError:
        form = {"daily": "2026-11-27", "weekly": "2026-W48", "monthly": "2026-11"}[kind]
        raise Permanent("request_invalid", detail=f"a {kind} period is written as {form}") from None
    return _period(kind, day, zone)


def kind_of(label: str) -> Kind:
    """Return the kind that a label has the form of.

    Raises:
      Permanent: ``request_invalid``, when it has none.
    """
    for kind, form in _LABELS.items():
        if re.fullmatch(form, label, re.ASCII):
            return kind
    raise Permanent("request_invalid", detail="a period is written as 2026-11-27, 2026-W48 or 2026-11")


def periods_between(kind: Kind, since: datetime, until: datetime, zone: ZoneInfo) -> Iterator[Period]:
    """Yield the periods that have a part between two moments, in order."""
    period = period_at(kind, since, zone)
    while period.since < until:
        yield period
        period = period.follow()


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first moment of a local day, UTC; where midnight does not exist, the first one after it.

    Raises:
      ConfigurationError: The zone is then no whole number of quarters of an hour away from UTC.
    """
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    begin = midnight.astimezone(UTC)
    if begin.astimezone(zone).date() < day or begin.astimezone(zone).replace(tzinfo=None) != midnight.replace(
        tzinfo=None
    ):
        # Midnight lies in a gap: fold=0 is read with the distance from before it, which lands behind the gap.
        begin = _end_of_gap(begin, zone)
    if (begin - datetime(2000, 1, 1, tzinfo=UTC)) % _QUARTER:
        raise ConfigurationError(
            f"GROWBIN_TIMEZONE={zone.key} begins {day} at no full quarter of an hour in UTC: statistics count slots of "
            "15 minutes. Choose another zone."
        )
    return begin


def _end_of_gap(behind: datetime, zone: ZoneInfo) -> datetime:
    """Return when the clocks were put forward, shortly before a moment: the distance to UTC changes there."""
    after = behind.astimezone(zone).utcoffset()
    low, high = behind - timedelta(days=2), behind
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return (high + timedelta(milliseconds=500)).replace(microsecond=0)


def _period(kind: Kind, day: date, zone: ZoneInfo) -> Period:
    if kind == "daily":
        first, following, label = day, day + timedelta(days=1), day.isoformat()
    elif kind == "weekly":
        first = day - timedelta(days=day.weekday())
        year, week, _ = first.isocalendar()
        following, label = first + timedelta(days=7), f"{year:04}-W{week:02}"
    else:
        first = day.replace(day=1)
        following, label = (first + timedelta(days=32)).replace(day=1), f"{first:%Y-%m}"
    return Period(kind, label, zone.key, start_of_day(first, zone), start_of_day(following, zone))
