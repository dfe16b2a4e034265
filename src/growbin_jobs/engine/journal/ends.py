"""Writes the ends of runs into the journal, many in one transaction; one that SQLite cannot hold is written as dead."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import apsw

from growbin_jobs.engine.delivery.records import Finish, OutboxMessage
from growbin_jobs.engine.journal.tables.finish_many import finish_many
from growbin_jobs.engine.journal.tables.storable import as_dead, storable
from growbin_jobs.engine.journal.writer import Writer
from growbin_jobs.engine.sqlite.coalescer import Coalescer
from growbin_jobs.engine.sqlite.errors import VALUE_ERRORS

#: Called once an end is committed; see :meth:`growbin_jobs.engine.journal.journal.Journal.finish`.
Committed = Callable[[BaseException | None, tuple[OutboxMessage, ...]], None]

logger = logging.getLogger(__name__)


class End(NamedTuple):
    """An end that is to be written.

    Attributes:
      then: Called once it is committed.
      rewritten: How often it was changed because SQLite could not hold it.
    """

    record: Finish
    then: Committed
    rewritten: int = 0


class Ends(Coalescer[apsw.Connection, End, tuple[OutboxMessage, ...]]):
    """The ends of one process. Together they cost a few statements and not some for each.

    An end with a value that no column holds (half a surrogate pair, a number beyond 64 bits) is written without it; one
    whose follow-ups cannot be stored is written as dead, with a reason that says so. It blocks nobody.

    Parameters:
      writer: Of this process.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__(writer.submit, _write, self._written)
        self._writer = writer

    @property
    def unwritten(self) -> int:
        """How many ends wait until the journal can be written again; none while it can."""
        return len(self) if self._writer.unwritten else 0

    def _written(self, end: End, error: BaseException | None, outbox: tuple[OutboxMessage, ...] | None) -> None:
        if isinstance(error, VALUE_ERRORS) and end.rewritten < 2:
            record = as_dead(end.record, error) if end.rewritten else storable(end.record)
            logger.error(
                "journal.end_unstorable id=%s error=%s written_as=%s",
                record.task_id, type(error).__name__, record.state,
            )  # fmt: skip
            self.add(End(record, end.then, end.rewritten + 1))
            return
        end.then(error, outbox or ())


def _write(connection: apsw.Connection, ends: Sequence[End]) -> list[tuple[OutboxMessage, ...]]:
    return finish_many(connection, [end.record for end in ends])
