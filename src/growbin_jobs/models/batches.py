"""The table ``model_batch``: one row for each batch, worked on under a lease by one process of the cluster at a time.

Every change names the fence that the lease was taken with: a process that was paused for longer than its lease changes
nothing any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import Conflict
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batch_row import COLUMNS, Batch, batch_of

#: Seconds that a lease lasts; it is renewed while somebody works.
LEASE: Final = 120.0

#: Seconds that a batch rests at most until it is worked on again.
_LONGEST_REST: Final = 86_400.0

_RETURNING: Final = f" RETURNING {COLUMNS}"
_MINE: Final = " WHERE id = ? AND fence = ?"


class LeaseLost(Conflict):
    """Another process has the batch now."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"Another process works on the batch {batch_id} now.")


class Batches:
    """Works on batches, each under a lease. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
      lease: Seconds.
    """

    def __init__(self, database: Database, *, lease: float = LEASE) -> None:
        self.database = database
        self.lease = lease
        self._sql = SqlWords(database.dialect)

    def tokens_at_the_server(self) -> int:
        """Return the tokens of all batches that are not done, by estimate."""
        sql = "SELECT coalesce(sum(tokens), 0) FROM model_batch WHERE state NOT IN (?, ?)"
        values = (State.READING.value, State.DONE.value)
        return int(self.database.run(lambda connection: self._sql.rows(connection, sql, *values))[0][0])

    def begin(self, connection: Any, batch_id: str, model: str) -> Batch:
        """Make a batch, inside of a transaction; the caller has its lease."""
        sql = (
            "INSERT INTO model_batch (id, model, state, requests, tokens, answered, standard, looks, fence,"
            " leased_until, next_at, made_at) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 1, $now + ?, 0, $now)"
        )
        values = (batch_id, storable(model), State.COLLECTING.value, self.lease)
        return batch_of(self._sql.rows(connection, sql + _RETURNING, *values)[0])

    def take(self, states: Iterable[State]) -> Batch | None:
        """Take the lease of a batch that is due, in one of some states; None where there is none."""
        words = [state.value for state in states]
        free = f"state IN ({', '.join('?' for _ in words)}) "
        free += f" AND {self._sql.ended('leased_until', self.lease)} AND {self._sql.ended('next_at', _LONGEST_REST)}"
        sql = (
            f"UPDATE model_batch SET fence = fence + 1, leased_until = $now + ? WHERE id = (SELECT id FROM model_batch"  # noqa: S608
            f" WHERE {free} ORDER BY next_at, id LIMIT 1 $free)"
            f" AND {self._sql.ended('leased_until', self.lease)} RETURNING {COLUMNS}"
        )
        rows = self.database.transaction(lambda connection: self._sql.rows(connection, sql, self.lease, *words))
        return batch_of(rows[0]) if rows else None

    def renew(self, batch: Batch) -> None:
        """Keep the lease.

        Raises:
          LeaseLost: Another process has it.
        """
        sql = "UPDATE model_batch SET leased_until = $now + ? WHERE id = ? AND fence = ?"
        values = (self.lease, batch.id, batch.fence)
        if not self.database.run(lambda connection: self._sql.run(connection, sql, *values)):
            raise LeaseLost(batch.id)

    def change(self, batch: Batch, **values: object) -> Batch:
        """Write down what was done, and return the batch as it is now.

        Parameters:
          batch: With its fence.
          values: By column.

        Raises:
          LeaseLost: Another process has it.
        """
        return self.database.transaction(lambda connection: self.change_in(connection, batch, **values))

    def change_in(self, connection: Any, batch: Batch, **values: object) -> Batch:
        """Write down what was done, inside of a transaction; see :meth:`change`."""
        sets = "".join(f"{name} = ?, " for name in values)
        sql = f"UPDATE model_batch SET {sets}leased_until = $now + ? WHERE id = ? AND fence = ? RETURNING {COLUMNS}"  # noqa: S608
        stored = [storable(value) if isinstance(value, str) else value for value in values.values()]
        rows = self._sql.rows(connection, sql, *stored, self.lease, batch.id, batch.fence)
        if not rows:
            raise LeaseLost(batch.id)
        return batch_of(rows[0])

    def sent(self, batch: Batch, server_id: str, status: str, pause: float) -> Batch:
        """Write down that the server has a batch."""
        sql = (
            "UPDATE model_batch SET state = ?, server_id = ?, server_status = ?, problem = NULL, sent_at = $now,"
            " next_at = $now + ?, leased_until = 0"
        )
        return self._changed(batch, sql, State.SENT.value, storable(server_id), storable(status), pause)

    def rest(self, batch: Batch, seconds: float, *, problem: str | None = None, status: str | None = None) -> Batch:
        """Let go of the lease until a batch is worked on again.

        Parameters:
          seconds: Until then; whoever cancels it shortens that.
          problem: What keeps it; None: nothing.
          status: What the server says; None: nothing new, and it was not looked at.
        """
        sql = (
            "UPDATE model_batch SET next_at = CASE WHEN cancelled_by IS NOT NULL AND ? THEN next_at ELSE $now + ? END,"
            " problem = ?, server_status = coalesce(?, server_status), looks = looks + ?, leased_until = 0"
        )
        seconds = min(seconds, _LONGEST_REST)
        unseen = batch.cancelled_by is None
        values = (unseen, seconds, problem and storable(problem), status and storable(status), int(status is not None))
        return self._changed(batch, sql, *values)

    def done(self, connection: Any, batch: Batch, outcome: str, *, reserved: int, settled: int, unknown: int) -> None:
        """Write down that a batch is done, inside of a transaction.

        Parameters:
          outcome: In a word.
          reserved, settled, unknown: What became of its money, in micro-dollars: its questions may be asked anew.
        """
        sql = (
            "UPDATE model_batch SET state = ?, outcome = ?, reserved = ?, settled = ?, unknown = ?, ended_at = $now,"
            " leased_until = 0 WHERE id = ? AND fence = ?"
        )
        values = (State.DONE.value, outcome, reserved, settled, unknown)
        if not self._sql.run(connection, sql, *values, batch.id, batch.fence):
            raise LeaseLost(batch.id)

    def discard(self, batch: Batch) -> None:
        """Delete a batch that asks nothing: what it had collected is answered, or has no room in a budget."""
        sql = "DELETE FROM model_batch WHERE id = ? AND fence = ?"
        self.database.run(lambda connection: self._sql.run(connection, sql, batch.id, batch.fence))

    def _changed(self, batch: Batch, sql: str, *values: object) -> Batch:
        rows = self.database.transaction(
            lambda connection: self._sql.rows(connection, sql + _MINE + _RETURNING, *values, batch.id, batch.fence)
        )
        if not rows:
            raise LeaseLost(batch.id)
        return batch_of(rows[0])
