"""Reads how often which cause made runs fail in a time: hours and minutes that are counted, and the runs of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain, islice, pairwise
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.error_causes import OTHERS, Cause
from growbin_jobs.engine.central.error_counts import HOUR, hour_of, stored
from growbin_jobs.engine.central.error_days import read_days
from growbin_jobs.engine.central.error_statement import counts_of, whole_days
from growbin_jobs.engine.central.failed_runs import Failure, failures
from growbin_jobs.engine.central.fields import known_moment
from growbin_jobs.engine.central.minutes_due import MINUTE
from growbin_jobs.engine.central.rollup import DAYS
from growbin_jobs.engine.central.sql_words import SqlWords

#: Failed runs that are read at most of minutes that nobody has counted yet, the newest.
WINDOW: Final = 20_000

#: Tasks of a cause that are named.
SAMPLES: Final = 5

_AT_ONCE: Final = 500


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
        spans = _joined(hours, HOUR)
        each = (failures(connection, words, max(begin, since), min(end, until), causes=causes) for begin, end in spans)
        return list(islice(chain.from_iterable(each), window))

    return database.snapshot(read)


class ErrorReading:
    """One reading, in a snapshot: what is counted while it reads is neither missed nor read twice.

    Parameters:
      connection: Of the snapshot.
      since, until: From the one to before the other, aware; both to the minute, where that is counted.
      window: Of minutes that nobody has counted yet at most so many runs are read, the newest.

    Attributes:
      has_more: There are more failed runs in minutes that nobody has counted yet than are read.
    """

    def __init__(
        self, connection: Any, words: SqlWords, since: datetime, until: datetime, *, window: int = WINDOW
    ) -> None:
        self._connection, self._words = connection, words
        self._since, self._until = since.replace(second=0, microsecond=0), until
        due = [known_moment(minute) for (minute,) in self._due("minutes_due", "minute")]
        hours = {known_moment(hour) for (hour,) in self._due("error_hours_due", "hour")}
        hours |= {hour_of(minute) for minute in due}
        # Of what is due the days are not made anew yet.
        whole = whole_days(self._since, until) - {DAYS.begin(hour) for hour in hours}
        whole -= {known_moment(day) for (day,) in self._due("error_days_due", "day")}
        self._days = sorted(map(stored, whole))
        self._counts, self._values = counts_of(self._since, self._until, {stored(hour) for hour in hours}, whole)
        runs = list(islice(self._uncounted(due), window + 1))
        self.has_more = len(runs) > window
        self._found = figures_of(runs[:window])
        self._numbers: dict[int, ErrorFigures] = {}

    def sums(self) -> list[ErrorFigures]:
        """Return the figures of all causes, yet without the times, nodes and samples of what is counted."""
        by_cause = f"SELECT cause, {self._sum('runs')}, {self._sum('dead')}, min(first_at), max(last_at)"
        counts, values = self._counts, self._values
        if self._days:
            marks = ", ".join("?" * len(self._days))
            days = f"SELECT cause, runs, dead, first_at, last_at FROM error_days WHERE day IN ({marks})"  # noqa: S608
            counts = f"SELECT cause, runs, dead, first_at, last_at FROM ({counts}) AS parts UNION ALL {days}"  # noqa: S608
            values = [*values, *self._days]
        sums = self._rows(f"{by_cause} FROM ({counts}) AS counts GROUP BY cause", *values)
        causes = self._causes(sorted(row[0] for row in sums))
        for number, runs, dead, first, last in sums:
            cause, first_at, last_at = causes[number], known_moment(first), known_moment(last)
            self._numbers[number] = self._found.setdefault(cause, ErrorFigures(cause, first_at, last_at))
            self._numbers[number].add(int(runs), int(dead), first_at, last_at)
        return list(self._found.values())

    def detail(self, figures: Collection[ErrorFigures], *, part: timedelta | None = None) -> None:
        """Add times, nodes and samples to some figures; to no figures twice.

        Parameters:
          figures: Of :meth:`sums`.
          part: Times are told in parts so long, from the beginning on. None: in hours and minutes as they are counted.
        """
        wanted = {id(each) for each in figures}
        chosen = sorted(number for number, each in self._numbers.items() if id(each) in wanted)
        for begin in range(0, len(chosen), _AT_ONCE):
            some = chosen[begin : begin + _AT_ONCE]
            nodes, times = self._by_node_and_time(self._time(part), some)
            for number, node, runs in nodes:
                self._numbers[number].nodes[node] += int(runs)
            moments = {
                told: known_moment(told) if part is None else self._since + int(told) * part for _, told, *_ in times
            }
            placed = [(moments[told], number, int(runs), sample) for number, told, runs, sample in times]
            placed += self._of_days(some, part)
            for at, number, runs, sample in sorted(placed, key=lambda each: each[0], reverse=True):
                self._numbers[number].place(at, runs, sample)

    def _of_days(self, causes: Sequence[int], part: timedelta | None) -> list[tuple[datetime, int, int, str]]:
        """Add what whole days have of some causes; return for each the day, the cause, 0 and a sample."""
        # The hours of all days in one list for each cause: adding them up by the part is then few steps, not thousands.
        begins = {known_moment(day): number * 24 for number, day in enumerate(self._days)}
        hours: dict[int, list[int]] = {}
        samples = []
        for day, cause, sample, counts, nodes in read_days(self._connection, self._words, self._days, causes):
            begin, figures = begins[day], self._numbers[cause]
            if cause not in hours:
                hours[cause] = [0] * (24 * len(begins))
            hours[cause][begin : begin + 24] = counts
            for node, runs in nodes.items():
                figures.nodes[node] += runs
            samples.append((day, cause, 0, sample))
        clock = [day + number * HOUR for day in begins for number in range(24)]
        told = [at if part is None else self._since + (at - self._since) // part * part for at in clock]
        ends = [number for number, at in enumerate(told) if number == 0 or at != told[number - 1]] + [len(told)]
        for cause, counts in hours.items():
            times = self._numbers[cause].times
            for begin, end in pairwise(ends):
                if runs := sum(counts[begin:end]):
                    times[told[begin]] += runs
        return samples

    def _by_node_and_time(self, at: str, causes: Sequence[int]) -> tuple[list[Any], list[Any]]:
        """Return the runs of some causes by node, and by time with a sample, the latest first."""
        of = f"FROM ({self._counts}) AS counts WHERE cause IN ({', '.join('?' * len(causes))})"
        runs = self._sum("runs")
        by_node = f"SELECT cause, node, {runs} {of} GROUP BY cause, node"
        by_time = f"SELECT cause, {at}, {runs}, max(sample) {of} GROUP BY cause, {at} ORDER BY 2 DESC"
        if self._words.dialect != "postgresql":
            return tuple(self._rows(sql, *self._values, *causes) for sql in (by_node, by_time))  # type: ignore[return-value]
        # One look at the rows, which are tens of thousands, in place of two.
        both = f"SELECT cause, node, {at}, {runs}, max(sample) {of} GROUP BY GROUPING SETS ((cause, node), (cause, 3))"
        rows = self._rows(both, *self._values, *causes)
        nodes = [(cause, node, runs) for cause, node, told, runs, _ in rows if told is None]
        times = [(cause, told, runs, sample) for cause, _, told, runs, sample in rows if told is not None]
        return nodes, sorted(times, key=lambda row: row[1], reverse=True)

    def _sum(self, column: str) -> str:
        # PostgreSQL adds 64 bits up as numerics, which costs twice as much; no hour has as many as 32 bits hold.
        return f"sum({column}::int4)" if self._words.dialect == "postgresql" else f"sum({column})"

    def _time(self, part: timedelta | None) -> str:
        if part is None:
            return "at"
        if self._words.dialect == "postgresql":  # seconds since 1970 are a numeric there, and cost four times as much
            ends = (self._since + number * part for number in range(1, -(-(self._until - self._since) // part)))
            return f"width_bucket(at, ARRAY[{', '.join(repr(stored(end)) for end in ends)}]::timestamptz[])"
        return f"CAST((unixepoch(at) - {self._since.timestamp()!r}) / {part.total_seconds()!r} AS INTEGER)"

    def _due(self, table: str, column: str) -> list[Any]:
        sql = f"SELECT {column} FROM {table} WHERE {column} >= ? AND {column} < ? ORDER BY {column} DESC"  # noqa: S608
        return self._rows(sql, stored(hour_of(self._since)), stored(self._until))

    def _uncounted(self, due: Sequence[datetime]) -> Iterator[Failure]:
        """Yield the failed runs of minutes that have a note, the newest first."""
        for begin, end in _joined(due):
            yield from failures(self._connection, self._words, max(begin, self._since), min(end, self._until))

    def _causes(self, numbers: Sequence[int]) -> dict[int, Cause]:
        found = dict.fromkeys(numbers, OTHERS)  # also what was forgotten meanwhile
        for begin in range(0, len(numbers), _AT_ONCE):
            some = numbers[begin : begin + _AT_ONCE]
            sql = (
                "SELECT cause, task_name, code, error_class, place, title FROM error_causes"  # noqa: S608
                f" WHERE cause IN ({', '.join('?' * len(some))})"
            )
            found |= {row[0]: Cause(*row[1:]) for row in self._rows(sql, *some)}
        return found

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._words.rows(self._connection, sql, *values)


def _joined(minutes: Sequence[datetime], long: timedelta = MINUTE) -> Iterator[tuple[datetime, datetime]]:
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
