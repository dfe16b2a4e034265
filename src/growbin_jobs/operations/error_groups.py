"""Failures with the same cause as one group: the reason's code, the class of the error, the place in the code."""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.failures import WINDOW, Failure, failures
from growbin_jobs.engine.central.workers import WorkerGroup, Workers

#: What differs between two failures of one cause: ids, numbers, texts in quotation marks, paths, addresses.
_VARYING: Final = re.compile(
    r"""[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|0x[0-9a-f]+|\b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b"""
    r"""|'[^']*'|"[^"]*"|\w+://\S+|(?<!\w)/[\w./-]+|\d+(?:[.,:]\d+)*""",
    re.IGNORECASE,
)
_FRAME: Final = re.compile(r'File "(?P<file>[^"]+)", line \d+, in (?P<function>.+)')
_CLASS: Final = re.compile(r"[A-Za-z_][\w.]*")
BUCKETS: Final = 24
_SAMPLES: Final = 5

#: Code, class of the error, place, and the error's text where these do not name it.
Cause = tuple[str, str, str, str]


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
      first_at, last_at: When it was seen first and last in the time that was looked at.
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
    """All groups of a time, those with most failures first.

    Attributes:
      window: Only the newest so many failures were looked at; None: all.
      version: The newest one that works, and since when; None: not known.
      version_at: Since when it works.
    """

    groups: list[ErrorGroup]
    window: int | None
    version: str | None
    version_at: datetime | None


def error_groups(database: Database, *, since: datetime, until: datetime) -> ErrorGroups:
    """Return what failed in a time, grouped.

    Parameters:
      database: The central one.
      since, until: Aware; when the runs ended.

    Raises:
      Deferred: The database is away.
    """
    found, more = failures(database, since=since, until=until)
    version, version_at = newest_version(Workers(database).all())
    groups = grouped(found, since=since, until=until, version_at=version_at)
    return ErrorGroups(groups, WINDOW if more else None, version, version_at)


def grouped(
    found: Iterable[Failure], *, since: datetime, until: datetime, version_at: datetime | None = None
) -> list[ErrorGroup]:
    """Return failures as groups, those with most failures first.

    Only of a message that was given up the place is known. Runs that failed before it, and others of the same actor
    with the same error, belong to its group, where there is one such place.
    """
    groups = [_group(cause, its, since, until, version_at) for cause, its in _members(found).items()]
    return sorted(groups, key=lambda group: (-group.count, group.key))


def tasks_of_group(database: Database, key: str, *, since: datetime, until: datetime) -> list[str]:
    """Return the tasks of a group, each once, those that failed last first.

    Parameters:
      key: Of the group.
      since, until: As :func:`error_groups`.

    Raises:
      Deferred: The database is away.
    """
    found, _ = failures(database, since=since, until=until)
    its = next((its for cause, its in _members(found).items() if _key(cause) == key), [])
    return list(dict.fromkeys(failure.task_id for failure in its))


def _members(found: Iterable[Failure]) -> dict[Cause, list[Failure]]:
    known, titles = list(found), lru_cache(maxsize=None)(without_what_varies)  # most failures have the words of others
    causes: defaultdict[tuple[str, str], set[Cause]] = defaultdict(set)  # of deaths, by actor and error
    of_deaths: dict[int, Cause] = {}
    for number, failure in enumerate(known):
        if failure.state == "dead":
            title = titles(failure.error)
            of_deaths[number] = cause = _cause(failure, title)
            causes[failure.actor, title].add(cause)
    members: defaultdict[Cause, list[Failure]] = defaultdict(list)
    for number, failure in enumerate(known):
        title = titles(failure.error)
        likely = causes.get((failure.actor, title), ())
        cause = next(iter(likely)) if len(likely) == 1 else of_deaths.get(number) or _cause(failure, title)
        members[cause].append(failure)
    return members


def _key(cause: Cause) -> str:
    return hashlib.sha256("\0".join(cause).encode("utf-8", "replace")).hexdigest()[:16]


def newest_version(workers: Iterable[WorkerGroup]) -> tuple[str | None, datetime | None]:
    """Return the version that came last, and when its first workers began."""
    began: dict[str, datetime] = {}
    for group in workers:
        for version in filter(None, group.version.replace(" ", "").split(",")):
            began[version] = min(began.get(version, group.started_at), group.started_at)
    if not began:
        return None, None
    newest = max(began, key=lambda version: (began[version], version))
    return newest, began[newest]


def place_of(traceback: str) -> tuple[str, str]:
    """Return the class of the last error of a traceback and where it was raised; empty where it does not say."""
    frames = list(_FRAME.finditer(traceback))
    last = next((line.strip() for line in reversed(traceback.splitlines()) if line.strip()), "")
    named = _CLASS.match(last) if not last.startswith("File ") else None
    if not frames:
        return (named[0] if named else "", "")
    file = frames[-1]["file"].rpartition("site-packages/")[2].rpartition("/src/")[2]
    return (named[0] if named else "", f"{file}:{frames[-1]['function'].strip()}")


def without_what_varies(text: str) -> str:
    """Return an error's text as all failures of its cause have it."""
    first = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return _VARYING.sub("…", first[:300])[:200]


def _cause(failure: Failure, title: str) -> Cause:
    error_class, place = place_of(failure.traceback)
    if not error_class:
        named = _CLASS.match(failure.error)
        whole = named is not None and failure.error[named.end() :][:1] in ("", ":")
        error_class = named[0] if named and whole else ""
    # Where the place is known the text adds nothing but what varies.
    return (failure.code, error_class, place, "" if place and error_class else title)


def _group(
    cause: Cause, its: list[Failure], since: datetime, until: datetime, version_at: datetime | None
) -> ErrorGroup:
    code, error_class, place, title = cause
    moments = [each.at for each in its]
    first, last = min(moments), max(moments)
    return ErrorGroup(
        key=_key(cause),
        title=title or without_what_varies(its[0].error) or error_class or code,
        code=code,
        error_class=error_class,
        place=place,
        count=len(its),
        dead=sum(each.state == "dead" for each in its),
        first_at=first,
        last_at=last,
        trend=_trend(moments, since, until),
        is_new=version_at is not None and first >= version_at > since,
        actors=dict(Counter(each.actor for each in its).most_common(20)),
        nodes=dict(Counter(each.node for each in its).most_common(20)),
        samples=[each.task_id for each in its[:_SAMPLES]],
    )


def _trend(moments: Iterable[datetime], since: datetime, until: datetime) -> list[int]:
    width = max((until - since) / BUCKETS, timedelta(seconds=1))
    counts = [0] * BUCKETS
    for moment in moments:
        counts[min(BUCKETS - 1, max(0, int((moment - since) / width)))] += 1
    return counts
