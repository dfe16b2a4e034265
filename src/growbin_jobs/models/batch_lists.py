"""Reads what a batch asks, question by question, with the messages that wait for the answers: for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.batch_life import moment

#: Messages that are told of one question, those that have waited longest.
MOST_MESSAGES: Final = 5

_ASKED: Final = """
SELECT q.id, q.purpose, q.model, q.prompt, q.state, q.put_at, q.key, u.outcome, u.cost, u.tokens_in, u.tokens_out
FROM model_batch_question q LEFT JOIN llm_usage u ON u.id = q.id
WHERE q.batch_id = ? AND q.id > ? ORDER BY q.id LIMIT ?
"""
_WAITERS: Final = """
SELECT key, number, message_id, analysis_id, put_at, back_at, why FROM (
    SELECT key, message_id, analysis_id, put_at, back_at, why, count(*) OVER (PARTITION BY key) AS number,
        row_number() OVER (PARTITION BY key ORDER BY put_at, message_id) AS place
    FROM model_batch_waiter WHERE key IN ({marks}) AND (batch_id = ? OR back_at IS NULL)
) AS placed WHERE place <= ? ORDER BY key, place
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchMessage:
    """A message that waits, or has waited, for an answer.

    Attributes:
      back_at: When it was sent again; None: it still waits.
      why: Why it asks in the standard tier after all; None: it does not, or still waits.
    """

    message_id: str
    analysis_id: str | None
    put_at: datetime
    back_at: datetime | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedQuestion:
    """A question of a batch.

    Attributes:
      id: Of the request.
      prompt: The prompt's version.
      state: ``batched``, or ``done`` once it is settled.
      put_at: When it was put down.
      outcome, cost, tokens_in, tokens_out: Of the request, once the server has answered it; cost in micro-dollars.
      messages: The first that want the answer.
      more_messages: How many more do.
    """

    id: str
    purpose: str
    model: str
    prompt: str
    state: str
    put_at: datetime
    outcome: str | None
    cost: int | None
    tokens_in: int | None
    tokens_out: int | None
    messages: list[BatchMessage]
    more_messages: int


class BatchLists:
    """Reads ``model_batch_question`` and ``model_batch_waiter``.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def questions(self, batch_id: str, *, after: str = "", limit: int = 50) -> list[AskedQuestion]:
        """Return questions of a batch in the order of their ids. One that is asked anew by now is not there any more.

        Parameters:
          batch_id: Our own id.
          after: Only those behind this one.
        """
        return self._database.snapshot(lambda connection: self._questions(connection, batch_id, storable(after), limit))

    def _questions(self, connection: Any, batch_id: str, after: str, limit: int) -> list[AskedQuestion]:
        rows = self._sql.rows(connection, _ASKED, batch_id, after, limit)
        waiters = self._waiters(connection, batch_id, [row[6] for row in rows])
        found = []
        for request, purpose, model, prompt, state, put_at, key, outcome, cost, tokens_in, tokens_out in rows:
            number, its = waiters.get(key, (0, []))
            found.append(
                AskedQuestion(
                    id=request, purpose=purpose, model=model, prompt=prompt, state=state, put_at=moment(put_at),
                    outcome=outcome, cost=cost, tokens_in=tokens_in, tokens_out=tokens_out,
                    messages=its, more_messages=number - len(its),
                )
            )  # fmt: skip
        return found

    def _waiters(
        self, connection: Any, batch_id: str, keys: Sequence[str]
    ) -> dict[str, tuple[int, list[BatchMessage]]]:
        """Return by key how many messages want the answer, and the first of them."""
        if not keys:
            return {}
        statement = _WAITERS.format(marks=", ".join("?" for _ in keys))
        found: dict[str, tuple[int, list[BatchMessage]]] = {}
        for key, number, message, analysis, put_at, back_at, why in self._sql.rows(
            connection, statement, *keys, batch_id, MOST_MESSAGES
        ):
            one = BatchMessage(
                message_id=message, analysis_id=analysis, put_at=moment(put_at),
                back_at=None if back_at is None else moment(back_at), why=why,
            )  # fmt: skip
            found.setdefault(key, (number, []))[1].append(one)
        return found
