"""Counts what happens in a process: ends of runs where they are committed together, all else as events.

The ends of a first-try run are looked at once, in the journal's thread, behind the commit that they share: that costs
about a microsecond each, and nobody waits for it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from growbin_jobs.engine import events
from growbin_jobs.engine.delivery.records import Finish, TaskState
from growbin_jobs.engine.events import Event
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.metrics import counted
from growbin_jobs.metrics.counts import OTHER, Counts

_TRACE: Final = re.compile(r'"traceparent": ?"00-([0-9a-f]{32})-')


class _Cells:
    """The numbers of one actor in one queue."""

    __slots__ = ("completed", "counts", "labels", "seconds", "wait")

    def __init__(self, counts: Counts, queue: str, actor: str) -> None:
        self.labels = (queue, actor)
        self.counts = counts
        self.completed = counts.numbers(counted.TASKS, queue, actor, "completed")
        self.seconds = counts.numbers(counted.TASK_SECONDS, queue, actor)
        self.wait = counts.numbers(counted.TASK_WAIT, queue, actor)


class EndCounts:
    """Counts ends of runs; called by the one thread of a process that commits them.

    Parameters:
      counts: Of this process.
      traces: Note which traces long runs belong to.
    """

    def __init__(self, counts: Counts, *, traces: bool = False) -> None:
        self._counts = counts
        self._traces = traces
        self._cells: dict[tuple[str, str], _Cells] = {}

    def wrote(self, ends: Sequence[Any]) -> None:
        """Count ends that were committed; each has its ``record``."""
        run_bounds, wait_bounds, cells_of = counted.RUN_SECONDS, counted.WAIT_SECONDS, self._cells
        completed = TaskState.COMPLETED
        for end in ends:
            record: Finish = end.record
            cells = cells_of.get((record.queue_name, record.task_name))
            if cells is None or record.dead is not None:
                cells = self._cells_of(record)
            took = record.completed_at - record.started_at
            if took < 0.0:  # the clock was set back
                took = 0.0
            seconds = cells.seconds
            seconds[bisect_left(run_bounds, took)] += 1.0
            seconds[-1] += took
            if not record.retry_count and not record.deferrals and record.created_at is not None:
                waited = record.started_at - record.created_at
                if waited < 0.0:
                    waited = 0.0
                wait = cells.wait
                wait[bisect_left(wait_bounds, waited)] += 1.0
                wait[-1] += waited
            if record.state is completed and record.error is None:
                cells.completed[0] += 1.0
            else:
                self._otherwise(record, cells)
            if self._traces and (trace := _TRACE.search(record.payload)):
                self._counts.exemplify(counted.TASK_SECONDS, cells.labels, took, trace[1])

    def _cells_of(self, record: Finish) -> _Cells:
        # Anybody can send a message for an actor that does not exist, and each would be a name of its own.
        unknown = record.dead is not None and record.dead.code == "actor_unknown"
        key = record.queue_name, OTHER if unknown else record.task_name
        cells = self._cells.get(key)
        if cells is None:
            cells = self._cells[key] = _Cells(self._counts, *key)
        return cells

    def _otherwise(self, record: Finish, cells: _Cells) -> None:
        counts, labels = self._counts, cells.labels
        if record.dead is not None:
            counts.inc(counted.TASKS, *labels, "dead")
            counts.inc(counted.DEAD_LETTERS, *labels, record.dead.code)
        elif record.state is TaskState.FAILED and record.deferred:
            counts.inc(counted.TASKS, *labels, "deferred")
            counts.inc(counted.DEFERRALS, *labels)
        elif record.state is TaskState.FAILED:
            counts.inc(counted.TASKS, *labels, "failed")
            counts.inc(counted.RETRIES, *labels)
        else:
            counts.inc(counted.TASKS, *labels, "skipped")


def listen(counts: Counts, journal: Journal, *, traces: bool = False) -> Callable[[], None]:
    """Count what happens in this process from now on.

    Parameters:
      counts: Of this process.
      journal: Of this process.
      traces: Note which traces runs belong to.

    Returns:
      What ends it.
    """
    journal.on_ends(EndCounts(counts, traces=traces).wrote)
    return listen_to_events(counts)


def listen_to_events(counts: Counts) -> Callable[[], None]:
    """Count events that are no ends of runs; see :func:`listen`."""
    counting: dict[str, Callable[[Mapping[str, Any]], None]] = {
        events.REQUEUED.name: lambda fields: _requeued(counts, fields),
        events.CRASH_COUNTED.name: lambda fields: counts.inc(counted.CRASHES, by=fields["tasks"]),
        events.TIME_LIMIT_EXCEEDED.name: lambda _: counts.inc(counted.TIME_LIMITS),
        events.UNDECODABLE.name: lambda fields: counts.inc(counted.UNDECODABLE, fields["queue"]),
        events.KNOWN.name: lambda fields: counts.inc(counted.KNOWN, fields["queue"]),
        events.UNCONFIRMED.name: lambda fields: counts.inc(counted.UNCONFIRMED, fields["queue"]),
        events.CONNECTED.name: lambda _: counts.inc(counted.CONNECTIONS),
        events.CONNECTION_LOST.name: lambda _: counts.inc(counted.CONNECTIONS_LOST),
        events.CONNECT_FAILED.name: lambda _: counts.inc(counted.CONNECTIONS_FAILED),
        events.BLOCKED.name: lambda _: counts.inc(counted.CONNECTIONS_BLOCKED),
        events.QUEUE_PAUSED.name: lambda fields: counts.inc(counted.QUEUE_PAUSES, fields["queue"]),
        events.STOPPED_FETCHING.name: lambda _: counts.inc(counted.FETCHING_STOPPED),
        events.DEAD_LETTERS_FOUND.name: lambda fields: counts.inc(
            counted.DEAD_LETTERS, OTHER, OTHER, fields["reason"], by=fields["messages"]
        ),
        events.SYNCED.name: lambda fields: counts.inc(counted.SYNCED, by=fields["rows"]),
        events.ROW_REFUSED.name: lambda _: counts.inc(counted.SYNC_REFUSED),
        events.JOB_FAILED.name: lambda fields: counts.inc(counted.JOB_FAILURES, fields["owner"], fields["job"]),
        events.JOB_WAITS.name: lambda fields: counts.inc(counted.JOB_WAITS, fields["owner"], fields["job"]),
        events.QUARANTINED.name: lambda _: counts.inc(counted.FILES_QUARANTINED, "journal"),
    }

    def count(event: Event, fields: Mapping[str, Any]) -> None:
        counting[event.name](fields)

    return events.listen(count, *(events.EVENTS[name] for name in counting))


def _requeued(counts: Counts, fields: Mapping[str, Any]) -> None:
    counts.inc(counted.TASKS, fields["queue"], fields["actor"], "requeued")
    counts.inc(counted.REQUEUES, fields["queue"], fields["actor"], fields["reason"])
