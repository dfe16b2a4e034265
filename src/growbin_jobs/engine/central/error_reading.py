"""Reads how often which cause made runs fail in a time: hours and minutes that are counted, and the runs of others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import Any, Final

from growbin_jobs.engine.central.error_causes import OTHERS, Cause
from growbin_jobs.engine.central.error_counts import HOUR, hour_of, stored
from growbin_jobs.engine.central.error_days import read_days
from growbin_jobs.engine.central.error_figures import WINDOW, ErrorFigures, figures_of, joined
from growbin_jobs.engine.central.error_statement import counts_of, whole_days
from growbin_jobs.engine.central.failed_runs import Failure, failures
from growbin_jobs.engine.central.fields import known_moment
from growbin_jobs.engine.central.rollup import DAYS
from growbin_jobs.engine.central.sql_words import SqlWords

#: Causes of one statement.
_AT_ONCE: Final = 500

#: What keepers have not made anew yet: minutes, hours and days, by their kind.
_DUE: Final = " UNION ALL ".join(
    f"SELECT {number} AS kind, {column} AS begins FROM {table} WHERE {column} >= ? AND {column} < ?"  # noqa: S608
    for number, (table, column) in enumerate(
        (("minutes_due", "minute"), ("error_hours_due", "hour"), ("error_days_due", "day"))
    )
)

_Due = tuple[list[datetime], list[datetime], list[datetime]]


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
        minutes, due, days = self._due()
        hours = {*due, *map(hour_of, minutes)}
        # Of what is due the days are not made anew yet.
        whole = whole_days(self._since, until) - {DAYS.begin(hour) for hour in hours} - set(days)
        self._days = sorted(whole)
        self._counts, self._values = counts_of(self._since, self._until, {stored(hour) for hour in hours}, whole)
        runs = list(islice(self._uncounted(minutes), window + 1))
        self.has_more = len(runs) > window
        self._found = figures_of(runs[:window])
        self._numbers: dict[int, ErrorFigures] = {}

    def sums(self) -> list[ErrorFigures]:
        """Return the figures of all causes, yet without the times, nodes and samples of what is counted."""
        counts, values = self._counts, self._values
        if self._days:
            marks = ", ".join("?" * len(self._days))
            days = f"SELECT cause, runs, dead, first_at, last_at FROM error_days WHERE day IN ({marks})"  # noqa: S608
            counts = f"SELECT cause, runs, dead, first_at, last_at FROM ({counts}) AS parts UNION ALL {days}"  # noqa: S608
            values = [*values, *map(stored, self._days)]
        # The names in the same statement: a thousand causes were asked for in three more.
        named = f"""
            SELECT sums.cause, runs, dead, first_at, last_at, task_name, code, error_class, place, title
            FROM (SELECT cause, {self._sum("runs")} AS runs, {self._sum("dead")} AS dead, min(first_at) AS first_at,
                max(last_at) AS last_at FROM ({counts}) AS counts GROUP BY cause) AS sums
            LEFT JOIN error_causes ON error_causes.cause = sums.cause
        """  # noqa: S608 names of ours
        for number, runs, dead, first, last, actor, *rest in self._rows(named, *values):
            cause = OTHERS if actor is None else Cause(actor, *rest)  # none where it was forgotten meanwhile
            first_at, last_at = known_moment(first), known_moment(last)
            figures = self._found.get(cause)
            if figures is None:
                figures = self._found[cause] = ErrorFigures(cause, first_at, last_at)
            figures.add(runs, dead, first_at, last_at)
            self._numbers[number] = figures
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
            placed: defaultdict[datetime, list[tuple[int, int, str]]] = defaultdict(list)
            nodes, times = self._by_node_and_time(self._time(part), some)
            for number, node, runs in nodes:
                self._numbers[number].nodes[node] += int(runs)
            for number, told, runs, sample in times:
                at = known_moment(told) if part is None else self._since + int(told) * part
                placed[at].append((number, int(runs), sample))
            self._add_days(some, part, placed)
            for at in sorted(placed, reverse=True):
                for number, runs, sample in placed[at]:
                    self._numbers[number].place(at, runs, sample)

    def _add_days(
        self, causes: Sequence[int], part: timedelta | None, placed: defaultdict[datetime, list[tuple[int, int, str]]]
    ) -> None:
        """Add what whole days have of some causes; of each a sample goes to ``placed``, with 0 runs."""
        found = read_days(self._connection, self._words, self._days, causes)
        clock = [day + number * HOUR for day in self._days for number in range(24)]
        told = [at if part is None else self._since + (at - self._since) // part * part for at in clock]
        # Adding the hours of all days up by the part is few steps, not thousands.
        ends = [number for number, at in enumerate(told) if number == 0 or at != told[number - 1]] + [len(told)]
        for cause, its in found.items():
            figures = self._numbers[cause]
            figures.nodes.update(its.nodes)
            for begin, end in pairwise(ends):
                if runs := sum(its.hours[begin:end]):
                    figures.times[told[begin]] += runs
            for place, sample in its.samples:
                placed[self._days[place]].append((cause, 0, sample))

    def _by_node_and_time(self, at: str, causes: Sequence[int]) -> tuple[list[Any], list[Any]]:
        """Return the runs of some causes by node, and by time with a sample."""
        of = f"FROM ({self._counts}) AS counts WHERE cause IN ({', '.join('?' * len(causes))})"
        runs = self._sum("runs")
        by_node = f"SELECT cause, node, {runs} {of} GROUP BY cause, node"
        by_time = f"SELECT cause, {at}, {runs}, max(sample) {of} GROUP BY cause, {at}"
        if self._words.dialect != "postgresql":
            return tuple(self._rows(sql, *self._values, *causes) for sql in (by_node, by_time))  # type: ignore[return-value]
        # One look at the rows, which are tens of thousands, in place of two.
        both = f"SELECT cause, node, {at}, {runs}, max(sample) {of} GROUP BY GROUPING SETS ((cause, node), (cause, 3))"
        rows = self._rows(both, *self._values, *causes)
        nodes = [(cause, node, runs) for cause, node, told, runs, _ in rows if told is None]
        return nodes, [(cause, told, runs, sample) for cause, _, told, runs, sample in rows if told is not None]

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

    def _due(self) -> _Due:
        """Return the minutes, hours and days that have a note, the newest first."""
        found: _Due = ([], [], [])
        for kind, begins in self._rows(_DUE, *(stored(hour_of(self._since)), stored(self._until)) * len(found)):
            found[kind].append(known_moment(begins))
        for each in found:
            each.sort(reverse=True)
        return found

    def _uncounted(self, due: Sequence[datetime]) -> Iterator[Failure]:
        """Yield the failed runs of minutes that have a note, the newest first."""
        for begin, end in joined(due):
            yield from failures(self._connection, self._words, max(begin, self._since), min(end, self._until))

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self._words.rows(self._connection, sql, *values)
