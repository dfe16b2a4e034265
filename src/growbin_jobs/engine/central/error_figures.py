"""What is known of the failed runs of one cause in a time, and the runs themselves of some hours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_causes import Cause
from growbin_jobs.engine.central.error_counts import HOUR, hour_of
from growbin_jobs.engine.central.failed_runs import Failure, failures
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are read at most of minutes that nobody has counted yet, the newest.
WINDOW: Final = 20_000

#: Tasks of a cause that are named.
SAMPLES: Final = 5


@dataclass(slots=True)
class ErrorFigures:
    """The failed runs of one cause in a time.

    Attributes:
      dead: Of these runs, so many after which the message was given up.
      first_at, last_at: When the first and the last one ended.
      times: How many ended in the hour or minute that began then.
      nodes: How many ran on which node.
      samples: Some tasks, the newest first.
    """

    cause: Cause
    first_at: datetime
    last_at: datetime
    runs: int = 0
    dead: int = 0
    times: Counter[datetime] = field(default_factory=Counter)
    nodes: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)

    def add(self, runs: int, dead: int, first: datetime, last: datetime) -> None:
        """Add runs.

        Parameters:
          dead: Of them, so many after which the message was given up.
          first, last: When the first and the last one ended.
        """
        self.runs, self.dead = self.runs + runs, self.dead + dead
        self.first_at, self.last_at = min(self.first_at, first), max(self.last_at, last)

    def place(self, at: datetime, runs: int, sample: str) -> None:
        """Say that so many, or none, ended in the time that began at a moment; later ones have to be said first.

        Parameters:
          sample: The task of one of them.
        """
        if runs:
            self.times[at] += runs
        if len(self.samples) < SAMPLES and sample not in self.samples:
            self.samples.append(sample)


def figures_of(failures: Iterable[Failure]) -> dict[Cause, ErrorFigures]:
    """Return the figures of failed runs, those that ended last first."""
    found: dict[Cause, ErrorFigures] = {}
    for each in failures:
        if each.cause not in found:
            found[each.cause] = ErrorFigures(each.cause, each.at, each.at)
        found[each.cause].add(1, int(each.dead), each.at, each.at)
        found[each.cause].place(each.at, 1, each.task_id)
        found[each.cause].nodes[each.node] += 1
    return found


def failures_at(
    database: Database,
    times: Collection[datetime],
    *,
    since: datetime,
    until: datetime,
    causes: Collection[Cause] = (),
    window: int = WINDOW,
) -> list[Failure]:
    """Return the failed runs of the hours in which some moments lie, the newest first.

    Parameters:
      times: Such as :attr:`ErrorFigures.times` has.
      since, until: As for :class:`ErrorReading`.
      causes: Only those that may have one of these; none named: all.
      window: At most so many.

    Raises:
      Deferred: The database is away.
    """
    words, since = SqlWords(database.dialect), since.replace(second=0, microsecond=0)
    hours = sorted({hour_of(at) for at in times}, reverse=True)

    def read(connection: Any) -> list[Failure]:
        spans = joined(hours, HOUR)
        each = (failures(connection, words, max(begin, since), min(end, until), causes=causes) for begin, end in spans)
        return list(islice(chain.from_iterable(each), window))

    return database.snapshot(read)


def joined(minutes: Sequence[datetime], long: timedelta = MINUTE) -> Iterator[tuple[datetime, datetime]]:
    """Yield minutes or hours, the newest first, as spans: those that follow each other are one."""
    begin: datetime | None = None
    end: datetime | None = None
    for minute in minutes:
        if begin is not None and minute + long == begin:
            begin = minute
            continue
        if begin is not None and end is not None:
            yield begin, end
        begin, end = minute, minute + long
    if begin is not None and end is not None:
        yield begin, end
