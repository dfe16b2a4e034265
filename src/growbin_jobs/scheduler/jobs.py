"""What the schedule says of a job, as data."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.engine.periodic.zones import start_of_day

#: Of the ids of messages.
NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "growbin-jobs:schedule")


class Period(StrEnum):
    """The data that a run is about."""

    INTERVAL = "since the due time before"
    DAY = "the day before"
    WEEK = "the week before"
    MONTH = "the month before"


class Overlap(StrEnum):
    """What happens to a due time while an earlier run of the job has not ended, anywhere in the cluster."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class RunAll:
    """Every missed due time is run, the oldest first.

    Attributes:
      most: At most so many, the latest ones.
      max_age: Older ones are not run.
      pace: Between the starts of two.
    """

    most: int
    max_age: timedelta
    pace: timedelta = timedelta(seconds=10)

    def __str__(self) -> str:
        return f"all, at most {self.most} of {self.max_age}"


@dataclass(frozen=True, slots=True)
class RunLatest:
    """Of several missed due times the latest one is run, the others count as coalesced with it.

    Attributes:
      max_age: It is not run when it is older.
    """

    max_age: timedelta

    def __str__(self) -> str:
        return f"the latest, of {self.max_age}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledJob:
    """A row of the table.

    Attributes:
      name: Its name, which is the key of all that is known of it: a job with a new name is a new job.
      when: Its rule; times of day are of the configured zone.
      route: Actor and queue of its message; None for what the keeper of every node does by itself.
      period: The data that a run is about.
      catch_up: What happens to missed due times.
      overlap: What happens while an earlier run has not ended.
      max_run: A run that has not ended after so long is counted as failed, and keeps nobody waiting.
      done_within: It must have ended so long after it was due; later is late.
      after: Name of a job whose latest due time must have been done first.
    """

    name: str
    when: Cron | Every
    route: Route | None
    period: Period = Period.INTERVAL
    catch_up: RunAll | RunLatest = RunLatest(timedelta(days=1))
    overlap: Overlap = Overlap.QUEUE
    max_run: timedelta = timedelta(hours=1)
    done_within: timedelta = timedelta(hours=1)
    after: str | None = None

    @property
    def every_node(self) -> bool:
        """True for what the keeper of every node does."""
        return self.route is None


def message_id(job: str, due: datetime) -> str:
    """Return the id of the message of a due time: ``uuid5(job, due)``, the same whoever plans and sends it."""
    return str(uuid.uuid5(NAMESPACE, f"{job} {due.astimezone(UTC).isoformat(timespec='microseconds')}"))


def next_message_id(before: str) -> str:
    """Return the id under which a due time is sent anew.

    A worker does not run an id again that has ended on its node. So a due time whose message has ended without an
    effect that this database knows of, and one that a person asks for once more, is sent under another id.

    Parameters:
      before: The id that it was sent under until now.
    """
    return str(uuid.uuid5(NAMESPACE, f"after {before}"))


def data_interval(job: ScheduledJob, due: datetime, before: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the beginning and the end of the data that a due time is about; the end does not belong to it.

    Parameters:
      job: Whose.
      due: When it is nominally due; when it really runs does not matter.
      before: The due time before.
      zone: Of its days.
    """
    today = due.astimezone(zone).date()
    match job.period:
        case Period.DAY:
            first, end = today - timedelta(days=1), today
        case Period.WEEK:
            end = today - timedelta(days=today.weekday())
            first = end - timedelta(weeks=1)
        case Period.MONTH:
            end = today.replace(day=1)
            first = (end - timedelta(days=1)).replace(day=1)
        case Period.INTERVAL:
            return before, due
    return start_of_day(first, zone), start_of_day(end, zone)


def calendar_period(when: Cron | Every, due: datetime, zone: ZoneInfo) -> str | None:
    """Return the day, week or month that a due time belongs to, of a rule that is due once in each; else None.

    After the rule was edited it tells whether the period has had its run already.
    """
    if isinstance(when, Every) or len(when.minutes) * len(when.hours) > 1:
        return None
    local = due.astimezone(zone)
    every_day, every_weekday = len(when.days) == 31, len(when.weekdays) == 7
    if every_day and every_weekday:
        return local.date().isoformat()
    if every_day and len(when.weekdays) == 1:
        return f"{local:%G-W%V}"
    if every_weekday and len(when.days) == 1:
        return f"{local:%Y-%m}"
    return None


def named(name: str, jobs: Iterable[ScheduledJob]) -> ScheduledJob | None:
    """Return the job of a name, or None."""
    return next((job for job in jobs if job.name == name), None)
