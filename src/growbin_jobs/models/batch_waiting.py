"""Reads how questions wait for a batch and how far their batches are: of a model, an analysis, a message."""

from __future__ import annotations

from dataclasses import dataclass

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.batch_life import WINDOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Questions to one model that no batch has yet: how many, and the seconds that the oldest has waited."""

    model: str
    number: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InBatch:
    """How a question of an analysis is asked in a batch. Moments are in seconds since 1970, of the database's clock.

    Attributes:
      batch: The server's id of the batch, else our own; None: it waits for the next one.
      state: How far that is, in the server's word where it has it.
      put_at, back_at: When it was put down, and when its message was sent again.
      done_by: When the server has it answered at the latest; None: it does not have it.
      why: Why it is asked in the standard tier after all; None: it is not.
    """

    batch: str | None
    state: str
    put_at: float
    back_at: float | None
    done_by: float | None
    why: str | None


class BatchWaiting:
    """Reads the tables. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def by_model(self) -> list[Waiting]:
        """Return what waits for a batch, by model."""
        sql = (
            "SELECT model, count(*), max($now - put_at) FROM model_batch_question WHERE state = 'waiting'"
            " GROUP BY model ORDER BY model"
        )
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql))
        return [Waiting(model=model, number=number, seconds=float(seconds)) for model, number, seconds in rows]

    def of_analysis(self, analysis_id: str) -> list[InBatch]:
        """Return how the questions of an analysis are asked in batches, the first ones first."""
        return self._in_batches("analysis_id", analysis_id)

    def of_message(self, message_id: str) -> InBatch | None:
        """Return how the question of a message is asked in a batch; None: it is not."""
        return next(iter(self._in_batches("message_id", message_id)), None)

    def _in_batches(self, column: str, value: str) -> list[InBatch]:
        sql = (
            "SELECT coalesce(b.server_id, b.id), coalesce(b.outcome, b.server_status, b.state, 'waiting'), w.put_at,"  # noqa: S608
            " w.back_at, CASE WHEN b.ended_at IS NULL THEN b.sent_at + ? END, w.why FROM model_batch_waiter w"
            " LEFT JOIN model_batch_question q ON q.key = w.key AND w.back_at IS NULL"
            f" LEFT JOIN model_batch b ON b.id = coalesce(w.batch_id, q.batch_id) WHERE w.{column} = ?"
            " ORDER BY w.put_at, w.message_id"
        )
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql, WINDOW, storable(value)))
        return [
            InBatch(batch=batch, state=state, put_at=put_at, back_at=back_at, done_by=done_by, why=why)
            for batch, state, put_at, back_at, done_by, why in rows
        ]
