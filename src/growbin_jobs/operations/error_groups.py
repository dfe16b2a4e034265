"""Failures with the same cause as one group: the reason's code, the class of the error, the place in the code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_figures import SAMPLES, WINDOW, ErrorFigures, failures_at
from growbin_jobs.engine.central.error_reading import ErrorReading
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.operations.error_members import GroupCause, key_of, members_of

BUCKETS: Final = 24

#: Groups that are shown, those with most failures.
MOST_GROUPS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorGroup:
    """Failures of one cause.

    Attributes:
      key: Names the group; stays the same from day to day and from version to version.
      title: The error without what varies.
      code: The reason's code where messages were given up; empty: not known.
      error_class: Of the last error; empty: not known.
      place: ``file:function`` where it was raised, without the line, which moves; empty: not known.
      count: Of runs that failed; with ``dead`` of them the message was given up.
      first_at, last_at: When it was seen first and last in the time that was looked at, to the minute at its beginning.
      trend: Failures in each of equal parts of that time, oldest first.
      is_new: It was not seen before the newest version began to work.
      actors, nodes: Where, with how many.
      samples: Some tasks, the newest first.
    """

    key: str
    title: str
    code: str
    error_class: str
    place: str
    count: int
    dead: int
    first_at: datetime
    last_at: datetime
    trend: list[int]
    is_new: bool
    actors: dict[str, int]
    nodes: dict[str, int]
    samples: list[str]


@dataclass(frozen=True, slots=True)
class ErrorGroups:
    """The groups of a time, those with most failures first.

    Attributes:
      groups: Those that were asked for.
      number: How many groups there are.
      new: Of these, the ones that came with the newest version.
      window: Of the last minutes only the newest so many failures were looked at; None: all.
      version: The newest one that works, and since when; None: not known.
      version_at: Since when it works.
    """

    groups: list[ErrorGroup]
    number: int
    new: int
    window: int | None
    version: str | None
    version_at: datetime | None


def error_groups(
    database: Database, *, since: datetime, until: datetime, most: int = MOST_GROUPS, only_new: bool = False
) -> ErrorGroups:
    """Return what failed in a time, grouped.

    Parameters:
      database: The central one.
      since, until: Aware; when the runs ended.
      most: Groups that are returned; of the others it is only counted how many there are.
      only_new: Only those that came with the newest version.

    Raises:
      Deferred: The database is away.
    """
    return _read(database, since, until, most=most, only_new=only_new)[0]


def error_groups_with_tasks(
    database: Database, key: str, *, since: datetime, until: datetime, most: int = MOST_GROUPS, only_new: bool = False
) -> tuple[ErrorGroups, list[str]]:
    """Return the groups of a time, and the tasks of one of them as :func:`tasks_of_group` does: read once for both.

    Parameters:
      key: Of the group.
      since, until, most, only_new: As for :func:`error_groups`.

    Raises:
      Deferred: The database is away.
    """
    groups, its = _read(database, since, until, most=most, only_new=only_new, key=key)
    return groups, _tasks(database, its, since, until, WINDOW)


def tasks_of_group(
    database: Database, key: str, *, since: datetime, until: datetime, window: int = WINDOW
) -> list[str]:
    """Return the tasks of a group, each once, those that failed last first.

    Parameters:
      key: Of the group.
      since, until: As :func:`error_groups`.
      window: Of the hours in which it was seen at most so many failed runs are read, the newest.

    Raises:
      Deferred: The database is away.
    """
    return _tasks(database, _read(database, since, until, most=0, key=key)[1], since, until, window)


def groups_of(
    members: Iterable[tuple[GroupCause, Sequence[ErrorFigures]]],
    *,
    since: datetime,
    until: datetime,
    version_at: datetime | None = None,
) -> list[ErrorGroup]:
    """Return groups for people, in the order of their members."""
    return [_group(cause, its, since, until, version_at) for cause, its in members]


def _read(
    database: Database, since: datetime, until: datetime, *, most: int, only_new: bool = False, key: str | None = None
) -> tuple[ErrorGroups, list[ErrorFigures]]:
    """Return the groups, and the figures of one of them with the hours in which it was seen."""
    version, version_at = newest_version(Workers(database).versions())
    since = since.replace(second=0, microsecond=0)

    def read(connection: Any) -> tuple[ErrorGroups, list[ErrorFigures]]:
        reading = ErrorReading(connection, SqlWords(database.dialect), since, until)
        members = members_of(reading.sums())
        new = [each for each in members if _is_new(each[1], since, version_at)]
        chosen = (new if only_new else members)[:most]
        its = [] if key is None else next((its for cause, its in members if key_of(cause) == key), [])
        reading.detail(its)
        others = [each for _, figures in chosen if figures is not its for each in figures]
        reading.detail(others, part=_part(since, until))
        groups = groups_of(chosen, since=since, until=until, version_at=version_at)
        window = WINDOW if reading.has_more else None
        return ErrorGroups(groups, len(members), len(new), window, version, version_at), its

    return database.snapshot(read)


def _tasks(database: Database, its: Sequence[ErrorFigures], since: datetime, until: datetime, window: int) -> list[str]:
    causes, numbers = {each.cause for each in its}, {each.cause.number for each in its}
    times = {at for each in its for at in each.times}
    runs = failures_at(database, times, since=since, until=until, causes=causes, window=window)
    return list(dict.fromkeys(run.task_id for run in runs if run.cause.number in numbers))


def _is_new(its: Iterable[ErrorFigures], since: datetime, version_at: datetime | None) -> bool:
    return version_at is not None and min(each.first_at for each in its) >= version_at > since


def newest_version(began: Mapping[str, datetime]) -> tuple[str | None, datetime | None]:
    """Return the version that came last, and when its first workers began.

    Parameters:
      began: As :meth:`growbin_jobs.engine.central.workers.Workers.versions` returns it.
    """
    if not began:
        return None, None
    newest = max(began, key=lambda version: (began[version], version))
    return newest, began[newest]


def _group(
    cause: GroupCause, its: Sequence[ErrorFigures], since: datetime, until: datetime, version_at: datetime | None
) -> ErrorGroup:
    code, error_class, place, title = cause
    first, last = min(each.first_at for each in its), max(each.last_at for each in its)
    actors, nodes, times = Counter[str](), Counter[str](), Counter[datetime]()
    for each in its:
        actors[each.cause.actor] += each.runs
        nodes.update(each.nodes)
        times.update(each.times)
    newest = sorted(its, key=lambda each: each.last_at, reverse=True)
    return ErrorGroup(
        key=key_of(cause),
        title=title or newest[0].cause.title or error_class or code,
        code=code,
        error_class=error_class,
        place=place,
        count=sum(each.runs for each in its),
        dead=sum(each.dead for each in its),
        first_at=first,
        last_at=last,
        trend=_trend(times, since, until),
        is_new=_is_new(its, since, version_at),
        actors=dict(actors.most_common(20)),
        nodes=dict(nodes.most_common(20)),
        samples=list(dict.fromkeys(sample for each in newest for sample in each.samples))[:SAMPLES],
    )


def _part(since: datetime, until: datetime) -> timedelta:
    return max((until - since) / BUCKETS, timedelta(minutes=1))


def _trend(times: Counter[datetime], since: datetime, until: datetime) -> list[int]:
    part, counts = _part(since, until), [0] * BUCKETS
    for at, runs in times.items():
        counts[min(BUCKETS - 1, max(0, int((at - since) / part)))] += runs
    return counts
