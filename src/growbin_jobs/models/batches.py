"""The table ``model_batch``: one row for each batch, worked on under a lease by one process of the cluster at a time.

Every change names the fence that the lease was taken with: a process that was paused for longer than its lease changes
nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.clock import clock_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.forgetting import OldRows, forget
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.models.batch_life import State

#: Seconds that a lease lasts; it is renewed while somebody works.
LEASE: Final = 120.0

#: Seconds that a batch rests at most until it is worked on again.
_LONGEST_REST: Final = 86_400.0

#: Days that a batch which is done is kept, with its questions and the messages that waited for them.
KEPT_DAYS: Final = 30

_COLUMNS: Final = (
    "id, model, state, outcome, problem, server_id, server_status, input_file, output_file, error_file, requests,"
    " tokens, answered, standard, cancelled_by, looks, fence, next_at, made_at, sent_at, ended_at, reserved, settled,"
    " unknown, $now"
)

_RETURNING: Final = f" RETURNING {_COLUMNS}"
_MINE: Final = " WHERE id = ? AND fence = ?"


class LeaseLost(Conflict):
    """Another process has the batch now."""

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"Another process works on the batch {batch_id} now.")


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. Moments are in seconds since 1970, of the database's clock.

    Attributes:
      id: Our own, which the server has in the batch's metadata.
      outcome: How it ended, in the server's word or ``no_batches``, ``lost``; None before.
      problem: What kept it from being made, or why it failed.
      server_id, server_status: The server's id of it, and how far it says that it is.
      requests: How many it asks for.
      tokens: Estimate of the tokens that it sends.
      answered, standard: How many of them were answered, and how many were asked in the standard tier.
      cancelled_by: Who wants it to end.
      looks: How often the server was asked how far it is.
      next_at: When it is worked on again.
      made_at, sent_at, ended_at: When it was begun, created at the server, and done.
      reserved, settled, unknown: What became of its money once it is done, in micro-dollars; None before.
      now: When this was read. A node's own clock is another one.
    """

    id: str
    model: str
    state: State
    outcome: str | None
    problem: str | None
    server_id: str | None
    server_status: str | None
    input_file: str | None
    output_file: str | None
    error_file: str | None
    requests: int
    tokens: int
    answered: int
    standard: int
    cancelled_by: str | None
    looks: int
    fence: int
    next_at: float
    made_at: float
    sent_at: float | None
    ended_at: float | None
    reserved: int | None = None
    settled: int | None = None
    unknown: int | None = None
    now: float = 0.0

    @property
    def age(self) -> float:
        """Return the seconds since it was begun."""
        return self.now - self.made_at


class Batches:
    """The only writer of ``model_batch``. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
      lease: Seconds.
    """

    def __init__(self, database: Database, *, lease: float = LEASE) -> None:
        self.database = database
        self.lease = lease
        self._sql = SqlWords(database.dialect)

    # --- for people

    def all(self, *, limit: int = 100) -> list[Batch]:
        """Return the newest batches first."""
        sql = f"SELECT {_COLUMNS} FROM model_batch ORDER BY made_at DESC, id LIMIT ?"  # noqa: S608 constants only
        return [_batch(row) for row in self.database.run(lambda connection: self._sql.rows(connection, sql, limit))]

    def page(
        self, *, states: Collection[State] = (), behind: tuple[float, str] | None = None, limit: int = 50
    ) -> list[Batch]:
        """Return batches, the newest first.

        Parameters:
          states: Only those in one of these; none named: all.
          behind: Only those behind the batch that was made then and has this id.
        """
        wanted, values = list[str](), list[object]()
        if states:
            wanted.append(f"state IN ({', '.join('?' for _ in states)})")
            values += [state.value for state in states]
        if behind is not None:
            wanted.append("made_at <= ? AND (made_at < ? OR id < ?)")
            values += [behind[0], behind[0], storable(behind[1])]
        where = f" WHERE {' AND '.join(wanted)}" if wanted else ""
        sql = f"SELECT {_COLUMNS} FROM model_batch{where} ORDER BY made_at DESC, id DESC LIMIT ?"  # noqa: S608
        return [_batch(row) for row in self.database.run(lambda one: self._sql.rows(one, sql, *values, limit))]

    def get(self, batch_id: str) -> Batch:
        """Return one batch, by our id of it or the server's.

        Raises:
          NotFound: There is none.
        """
        sql = f"SELECT {_COLUMNS} FROM model_batch WHERE id = ? OR server_id = ?"  # noqa: S608 constants only
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, *2 * [storable(batch_id)]))
        if not rows:
            raise NotFound(f"There is no batch {batch_id}. See: growbin-jobs batches list")
        return _batch(rows[0])

    def cancel(self, batch_id: str, *, by: str) -> Batch:
        """Let a batch end soon; what it has answered is kept, the rest is asked in the standard tier.

        Raises:
          NotFound: There is none.
          Conflict: It is done.
        """
        batch = self.get(batch_id)
        sql = "UPDATE model_batch SET cancelled_by = coalesce(cancelled_by, ?), next_at = 0 WHERE id = ? AND state <> ?"
        values = (storable(by), batch.id, State.DONE.value)
        if not self.database.run(lambda connection: self._sql.run(connection, sql, *values)):
            raise Conflict(f"The batch {batch.id} is done: {batch.outcome}.")
        return self.get(batch.id)

    def tokens_at_the_server(self) -> int:
        """Return the tokens of all batches that are not done, by estimate."""
        sql = "SELECT coalesce(sum(tokens), 0) FROM model_batch WHERE state NOT IN (?, ?)"
        values = (State.READING.value, State.DONE.value)
        return int(self.database.run(lambda connection: self._sql.rows(connection, sql, *values))[0][0])

    # --- for those who work on them, each under a lease

    def begin(self, connection: Any, batch_id: str, model: str) -> Batch:
        """Make a batch, inside of a transaction; the caller has its lease."""
        sql = (
            "INSERT INTO model_batch (id, model, state, requests, tokens, answered, standard, looks, fence,"
            " leased_until, next_at, made_at) VALUES (?, ?, ?, 0, 0, 0, 0, 0, 1, $now + ?, 0, $now)"
        )
        values = (batch_id, storable(model), State.COLLECTING.value, self.lease)
        return _batch(self._sql.rows(connection, sql + _RETURNING, *values)[0])

    def take(self, states: Iterable[State]) -> Batch | None:
        """Take the lease of a batch that is due, in one of some states; None where there is none."""
        words = [state.value for state in states]
        free = f"state IN ({', '.join('?' for _ in words)}) "
        free += f" AND {self._sql.ended('leased_until', self.lease)} AND {self._sql.ended('next_at', _LONGEST_REST)}"
        sql = (
            f"UPDATE model_batch SET fence = fence + 1, leased_until = $now + ? WHERE id = (SELECT id FROM model_batch"  # noqa: S608
            f" WHERE {free} ORDER BY next_at, id LIMIT 1 $free)"
            f" AND {self._sql.ended('leased_until', self.lease)} RETURNING {_COLUMNS}"
        )
        rows = self.database.transaction(lambda connection: self._sql.rows(connection, sql, self.lease, *words))
        return _batch(rows[0]) if rows else None

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
        sql = f"UPDATE model_batch SET {sets}leased_until = $now + ? WHERE id = ? AND fence = ? RETURNING {_COLUMNS}"  # noqa: S608
        stored = [storable(value) if isinstance(value, str) else value for value in values.values()]
        rows = self._sql.rows(connection, sql, *stored, self.lease, batch.id, batch.fence)
        if not rows:
            raise LeaseLost(batch.id)
        return _batch(rows[0])

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
        return _batch(rows[0])


def old_rows(now: float) -> list[OldRows]:
    """Return what has been done for :data:`KEPT_DAYS` at a time, in seconds since 1970."""
    before = (now - KEPT_DAYS * 86_400.0,)
    return [
        OldRows("model_batch_waiter", ("message_id",), "back_at IS NOT NULL AND back_at < ?", before),
        OldRows("model_batch_question", ("key",), "state = 'done' AND put_at < ?", before),
        OldRows("model_batch", ("id",), "ended_at IS NOT NULL AND ended_at < ?", before),
    ]


@dataclass(frozen=True, slots=True)
class KeepBatches:
    """A periodic job: delete what has been done for long. The keepers of all nodes do it.

    Attributes:
      database: Returns the central one.
    """

    database: Callable[[], Database]

    def run_once(self) -> dict[str, int]:
        """Delete it; return how many rows by table.

        Raises:
          Deferred: The database is away.
        """
        database = self.database()
        return forget(database, old_rows(clock_of(database)))


def _batch(row: Sequence[Any]) -> Batch:
    batch_id, model, state, *others = row
    return Batch(batch_id, model, State(state), *others)
