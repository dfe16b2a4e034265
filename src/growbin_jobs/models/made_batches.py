"""Lists the batches that were made, for people, who may let one end soon."""

from __future__ import annotations

from collections.abc import Collection

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import Conflict, NotFound
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batch_row import COLUMNS, Batch, batch_of


class MadeBatches:
    """What people do with batches. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def all(self, *, limit: int = 100) -> list[Batch]:
        """Return the newest batches first."""
        sql = f"SELECT {COLUMNS} FROM model_batch ORDER BY made_at DESC, id LIMIT ?"  # noqa: S608 constants only
        return [batch_of(row) for row in self._database.run(lambda connection: self._sql.rows(connection, sql, limit))]

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
        sql = f"SELECT {COLUMNS} FROM model_batch{where} ORDER BY made_at DESC, id DESC LIMIT ?"  # noqa: S608
        return [batch_of(row) for row in self._database.run(lambda one: self._sql.rows(one, sql, *values, limit))]

    def get(self, batch_id: str) -> Batch:
        """Return one batch, by our id of it or the server's.

        Raises:
          NotFound: There is none.
        """
        sql = f"SELECT {COLUMNS} FROM model_batch WHERE id = ? OR server_id = ?"  # noqa: S608 constants only
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql, *2 * [storable(batch_id)]))
        if not rows:
            raise NotFound(f"There is no batch {batch_id}. See: growbin-jobs batches list")
        return batch_of(rows[0])

    def cancel(self, batch_id: str, *, by: str) -> Batch:
        """Let a batch end soon; what it has answered is kept, the rest is asked in the standard tier.

        Raises:
          NotFound: There is none.
          Conflict: It is done.
        """
        batch = self.get(batch_id)
        sql = "UPDATE model_batch SET cancelled_by = coalesce(cancelled_by, ?), next_at = 0 WHERE id = ? AND state <> ?"
        values = (storable(by), batch.id, State.DONE.value)
        if not self._database.run(lambda connection: self._sql.run(connection, sql, *values)):
            raise Conflict(f"The batch {batch.id} is done: {batch.outcome}.")
        return self.get(batch.id)
