"""The tables ``model_batch_question`` and ``model_batch_waiter``: what batches ask, and the messages that wait for it.

A question is one answer that is wanted, by its key in ``model_answer``. However many messages want it, it is asked
once. A message that waits is kept here whole, and its run ends, until the question is settled
(:mod:`growbin_jobs.models.batch_settling`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.analysis_tier import note_tier
from growbin_jobs.models.answers import LEASE
from growbin_jobs.models.batch_life import Why

#: Keys of one statement.
PAGE: Final = 200

_COLUMNS: Final = "q.key, q.id, q.purpose, q.model, q.prompt, q.asks"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiter:
    """A message that waits.

    Attributes:
      message_id: Its id.
      analysis_id, user_id, attempt: For whom it asks.
      body: The encoded message.
    """

    message_id: str
    analysis_id: str | None
    user_id: str | None
    attempt: int | None
    body: str


@dataclass(frozen=True, slots=True)
class BatchQuestion:
    """What is asked.

    Attributes:
      key: Of the answer.
      id: Of the request.
      purpose: What the answer is for, such as ``vision``.
      model: The one that is asked.
      prompt: The prompt's version.
      asks: What the request is made from.
    """

    key: str
    id: str
    purpose: str
    model: str
    prompt: str
    asks: Mapping[str, Any]


class BatchQuestions:
    """Puts questions down, and gives them to batches. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sql = SqlWords(database.dialect)

    def put_down(self, question: BatchQuestion, waiter: Waiter) -> None:
        """Write a question down, and the message that waits for its answer; twice is once.

        Parameters:
          question: Its id is used where nobody asks the same at the moment.
          waiter: The message.
        """
        asks = json.dumps(question.asks, ensure_ascii=False)
        values = (question.key, question.id, question.purpose, storable(question.model), storable(question.prompt))

        def work(connection: Any) -> None:
            self._sql.run(
                connection,
                "INSERT INTO model_batch_question (key, id, purpose, model, prompt, asks, state, put_at)"
                " VALUES (?, ?, ?, ?, ?, ?, 'waiting', $now) ON CONFLICT (key) DO UPDATE SET id = excluded.id,"
                " purpose = excluded.purpose, model = excluded.model, prompt = excluded.prompt, asks = excluded.asks,"
                " state = 'waiting', batch_id = NULL, put_at = excluded.put_at"
                " WHERE model_batch_question.state = 'done'",
                *(*values, storable(asks)),
            )
            self._sql.run(
                connection,
                "INSERT INTO model_batch_waiter (message_id, key, analysis_id, user_id, attempt, body, put_at)"
                " VALUES (?, ?, ?, ?, ?, ?, $now) ON CONFLICT (message_id) DO NOTHING",
                *(waiter.message_id, question.key, waiter.analysis_id, waiter.user_id, waiter.attempt),
                storable(waiter.body),
            )
            note_tier(self._sql, connection, [waiter.analysis_id] if waiter.analysis_id else [], "batch", None)

        self.database.transaction(work)

    def note_standard(self, analysis_id: str | None, why: Why) -> None:
        """Note that an analysis is asked in the standard tier at once."""
        ids = [analysis_id] if analysis_id else []
        self.database.run(lambda connection: note_tier(self._sql, connection, ids, "standard", why.value))

    def waiting_for(self, model: str, *, limit: int = PAGE) -> list[str]:
        """Return the keys of questions to a model that no batch has yet."""
        sql = "SELECT key FROM model_batch_question WHERE state = 'waiting' AND model = ? ORDER BY put_at, key LIMIT ?"
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, storable(model), limit))
        return [key for (key,) in rows]

    def give_to(self, connection: Any, batch_id: str, model: str, *, most: int) -> int:
        """Give a batch the oldest questions to a model that nobody asks or has answered; inside of a transaction.

        Returns:
          How many.
        """
        # Materialized: PostgreSQL may run a subquery with a LIMIT once for each row, and take more.
        sql = (
            "WITH chosen AS MATERIALIZED (SELECT q.key FROM model_batch_question q WHERE q.state = 'waiting'"  # noqa: S608 constants only
            " AND q.model = ? AND NOT EXISTS (SELECT 1 FROM model_answer a WHERE a.key = q.key"
            f" AND (NOT {self._sql.ended('a.leased_until', LEASE)}"
            " OR (a.response IS NOT NULL AND a.expires_at > $now)))"
            " ORDER BY q.put_at, q.key LIMIT ? $free)"
            " UPDATE model_batch_question SET state = 'batched', batch_id = ? WHERE key IN (SELECT key FROM chosen)"
        )
        return self._sql.run(connection, sql, storable(model), most, batch_id)

    def take_back(self, keys: Sequence[str], *, behind: bool = False) -> None:
        """Let questions wait for another batch, each as another request: what was reserved for this one is given back.

        Parameters:
          keys: Which.
          behind: They wait behind the others from now on.
        """
        put_at = ", put_at = $now" if behind else ""
        sql = (
            f"UPDATE model_batch_question SET id = ?, state = 'waiting', batch_id = NULL{put_at}"  # noqa: S608
            " WHERE state = 'batched' AND key = ?"
        )

        def work(connection: Any) -> None:
            for key in sorted(keys):
                self._sql.run(connection, sql, uuid.uuid4().hex, key)

        if keys:
            self.database.transaction(work)

    def is_asked_elsewhere(self, key: str) -> bool:
        """Return whether somebody has the answer to a question, or asks for it at this moment."""
        sql = (
            f"SELECT 1 FROM model_answer WHERE key = ? AND (NOT {self._sql.ended('leased_until', LEASE)}"  # noqa: S608 constants only
            " OR (response IS NOT NULL AND expires_at > $now))"
        )
        return bool(self.database.run(lambda connection: self._sql.rows(connection, sql, key)))

    def any_asked_elsewhere(self, batch_id: str) -> bool:
        """Return whether somebody has the answer to a question of a batch, or asks for it at this moment."""
        sql = (
            "SELECT 1 FROM model_batch_question q JOIN model_answer a ON a.key = q.key WHERE q.batch_id = ?"  # noqa: S608 constants only
            f" AND q.state = 'batched' AND (NOT {self._sql.ended('a.leased_until', LEASE)}"
            " OR (a.response IS NOT NULL AND a.expires_at > $now)) LIMIT 1"
        )
        return bool(self.database.run(lambda connection: self._sql.rows(connection, sql, batch_id)))

    def of_batch(self, batch_id: str, *, after: str = "", limit: int = PAGE) -> list[BatchQuestion]:
        """Return questions of a batch that are not settled, a page in the order of their ids."""
        sql = (
            f"SELECT {_COLUMNS} FROM model_batch_question q WHERE batch_id = ? AND state = 'batched' AND id > ?"  # noqa: S608
            " ORDER BY id LIMIT ?"
        )
        return self._questions(sql, batch_id, after, limit)

    def by_ids(self, batch_id: str, ids: Sequence[str]) -> dict[str, BatchQuestion]:
        """Return those of some requests of a batch that are not settled, by their ids."""
        if not ids:
            return {}
        sql = (
            f"SELECT {_COLUMNS} FROM model_batch_question q WHERE batch_id = ? AND state = 'batched'"  # noqa: S608
            f" AND id IN ({_marks(ids)})"
        )
        return {question.id: question for question in self._questions(sql, batch_id, *ids)}

    def first_waiters(self, keys: Sequence[str], *, also_back: bool = False) -> dict[str, Waiter]:
        """Return for each key the message that has waited longest.

        Parameters:
          keys: Of questions.
          also_back: Where none waits any more, the last one that did.
        """
        if not keys:
            return {}
        sql = "SELECT key, message_id, analysis_id, user_id, attempt FROM model_batch_waiter"
        sql += f" WHERE key IN ({_marks(keys)})" + ("" if also_back else " AND back_at IS NULL")
        sql += " ORDER BY CASE WHEN back_at IS NULL THEN 1 ELSE 0 END, coalesce(back_at, -put_at), message_id DESC"
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, *keys))
        return {
            key: Waiter(message_id=message, analysis_id=analysis, user_id=user, attempt=attempt, body="")
            for key, message, analysis, user, attempt in rows
        }

    def _questions(self, sql: str, *values: object) -> list[BatchQuestion]:
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, *values))
        return [
            BatchQuestion(key, question_id, purpose, model, prompt, json.loads(asks))
            for key, question_id, purpose, model, prompt, asks in rows
        ]


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
