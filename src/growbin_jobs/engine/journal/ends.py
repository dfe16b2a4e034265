"""Ends of runs, written many at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import apsw

from growbin_jobs.engine.delivery.records import Finish, OutboxMessage
from growbin_jobs.engine.journal.tables import tasks
from growbin_jobs.engine.journal.tables.finish_many import finish_many
from growbin_jobs.engine.journal.writer import PASSING, Writer
from growbin_jobs.engine.sqlite.committer import Closed

#: Told once an end is committed; see :meth:`growbin_jobs.engine.journal.journal.Journal.finish`.
Then = Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]

Ended = list[tuple[OutboxMessage, ...]]


class Ends:
    """Collects ends until the writer's next transaction. Together they cost a few statements and not some for each.

    apsw lets go of Python's lock in each statement and must get it back after it, in competition with all workers.

    Parameters:
      writer: Of this process.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._waiting: deque[tuple[Finish, Then]] = deque()
        self._submitted = False
        self._calls: set[_Call] = set()

    @property
    def unwritten(self) -> int:
        """How many ends wait until the journal can be written again; none while it can."""
        if not self._writer.unwritten:
            return 0
        return len(self._waiting) + sum(len(call.batch) for call in tuple(self._calls))

    def add(self, record: Finish, then: Then) -> None:
        """Write an end soon."""
        self._waiting.append((record, then))
        if not self._submitted:
            self._submitted = True  # two threads may both come here: then one of two calls finds nothing to do
            call = _Call(self)
            self._calls.add(call)
            self._writer.submit(call.run, call.told)

    def write_alone(self, record: Finish, then: Then) -> None:
        """Write one end in a call of its own."""
        self._writer.submit(
            lambda connection: tasks.finish(connection, record), lambda error, messages: then(error, messages or ())
        )

    def told(self, call: _Call) -> None:
        """Forget a call that came to an end."""
        self._calls.discard(call)

    def take(self) -> list[tuple[Finish, Then]]:
        """Return what waits; what is added from now on is somebody else's."""
        self._submitted = False
        taken = []
        for _ in range(len(self._waiting)):
            try:
                taken.append(self._waiting.popleft())
            except IndexError:
                break
        return taken


class _Call:
    """One call, which may have to be run again when its transaction has failed."""

    def __init__(self, ends: Ends) -> None:
        self._ends = ends
        self.batch: list[tuple[Finish, Then]] = []

    def run(self, connection: apsw.Connection) -> Ended:
        self.batch += self._ends.take()
        return finish_many(connection, [record for record, _ in self.batch])

    def told(self, error: BaseException | None, messages: Ended | None) -> None:
        self._ends.told(self)
        if error is None and messages is not None:
            for (_, then), one in zip(self.batch, messages, strict=True):
                then(None, one)
            return
        batch = self.batch or self._ends.take()  # of a call that was refused it never took any
        if len(batch) == 1 or isinstance(error, (Closed, *PASSING)):
            for _, then in batch:
                then(error, ())
            return
        # One of them can never be written. Each for itself, so that the others are.
        for record, then in batch:
            self._ends.write_alone(record, then)
