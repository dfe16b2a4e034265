"""The tables ``model_batch_question`` and ``model_batch_waiter``: what batches ask, and the messages that wait for it.

A question is one answer that is wanted, by its key in ``model_answer``. However many messages want it, it is asked
once. A message that waits is kept here whole, and its run ends. Once the question is settled the message is sent again,
by ``task_reruns`` and in the same transaction: under a new id that is made from its own, so that it is one message
however often that is tried.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.reruns import Kind, Reruns, Wish
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.reruns import FRESH, TIER, again, encoded
from growbin_jobs.models.analysis_tier import note_tier
from growbin_jobs.models.answers import LEASE
from growbin_jobs.models.batch_life import WINDOW, Why

#: Of the ids under which messages are sent again.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "growbin-jobs:batches")

#: Who lets the message run again, in ``task_reruns``.
_BY: Final = "batches"

#: How often a task is let run again at most; here nobody presses twice.
_ANY: Final = 2**31

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


class BatchQuestions:
    """The only writer of both tables. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._sql = SqlWords(database.dialect)
        self._reruns = Reruns(database)

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

    def waiting(self) -> list[Waiting]:
        """Return what waits for a batch, by model."""
        sql = (
            "SELECT model, count(*), max($now - put_at) FROM model_batch_question WHERE state = 'waiting'"
            " GROUP BY model ORDER BY model"
        )
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql))
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
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, WINDOW, storable(value)))
        return [
            InBatch(batch=batch, state=state, put_at=put_at, back_at=back_at, done_by=done_by, why=why)
            for batch, state, put_at, back_at, done_by, why in rows
        ]

    def waiting_for(self, model: str, *, limit: int = PAGE) -> list[str]:
        """Return the keys of questions to a model that no batch has yet."""
        sql = "SELECT key FROM model_batch_question WHERE state = 'waiting' AND model = ? ORDER BY put_at, key LIMIT ?"
        return self._keys(sql, storable(model), limit)

    def answered_meanwhile(self) -> int:
        """Send the messages again whose question somebody else has answered meanwhile; return how many.

        A question that a batch has already stays in it: its result is booked when it comes, and nobody waits for it.
        """
        answered = (
            "SELECT q.key FROM model_batch_question q JOIN model_answer a ON a.key = q.key WHERE q.state = ?"
            " AND a.response IS NOT NULL AND a.expires_at > $now"
        )
        waited_for = " AND EXISTS (SELECT 1 FROM model_batch_waiter w WHERE w.key = q.key AND w.back_at IS NULL)"
        sent = 0
        while keys := self._keys(f"{answered} LIMIT ?", "waiting", PAGE):
            sent += self.settle(dict.fromkeys(keys, None), states=("waiting",))
        while keys := self._keys(f"{answered}{waited_for} LIMIT ?", "batched", PAGE):
            sent += self.database.transaction(lambda one, keys=keys: self._wait_no_more(one, keys))  # type: ignore[misc]
        return sent

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

    def settle(self, ends: Mapping[str, Why | None], *, states: Sequence[str] = ("batched",)) -> int:
        """Settle questions, and send the messages again that wait for them; see :meth:`settle_in`."""
        return self.database.transaction(lambda connection: self.settle_in(connection, ends, states=states))

    def settle_in(
        self, connection: Any, ends: Mapping[str, Why | None], *, states: Sequence[str] = ("batched",)
    ) -> int:
        """Settle questions and send the messages again that wait for them, inside of a transaction.

        Parameters:
          ends: By key: None with the answer in ``model_answer``, else why the message asks in the standard tier.
          states: In which the questions must be; those that are not stay as they are.

        Returns:
          How many messages are sent.
        """
        sent = 0
        for key in sorted(ends):
            sql = (
                f"UPDATE model_batch_question SET state = 'done', asks = '{{}}' WHERE key = ?"  # noqa: S608
                f" AND state IN ({_marks(states)}) RETURNING id, batch_id"
            )
            for question_id, batch_id in self._sql.rows(connection, sql, key, *states):
                sent += self._send_again(connection, key, question_id, batch_id, ends[key])
        return sent

    def _wait_no_more(self, connection: Any, keys: Sequence[str]) -> int:
        """Send the messages again that wait for questions of batches whose answers are there; they stay in these."""
        sql = "SELECT id, batch_id FROM model_batch_question WHERE key = ? AND state = 'batched' $lock"
        return sum(
            self._send_again(connection, key, question_id, batch_id, None)
            for key in sorted(keys)
            for question_id, batch_id in self._sql.rows(connection, sql, key)
        )

    def _keys(self, sql: str, *values: object) -> list[str]:
        return [row[0] for row in self.database.run(lambda connection: self._sql.rows(connection, sql, *values))]

    def _send_again(self, connection: Any, key: str, question_id: str, batch_id: str | None, why: Why | None) -> int:
        sql = (
            "SELECT message_id, analysis_id, body FROM model_batch_waiter WHERE key = ? AND back_at IS NULL"
            " ORDER BY message_id"
        )
        waiters = self._sql.rows(connection, sql, key)
        for message_id, _, body in waiters:
            new_id = str(uuid.uuid5(_NAMESPACE, f"{message_id} {question_id}"))
            message = _again(body, new_id, why)
            wish = Wish(
                task_id=new_id, rerun_of=message_id, kind=Kind.AGAIN, task_name=message["actor_name"],
                queue_name=message["queue_name"], body=encoded(message), by=_BY,
                reason="its answer is there" if why is None else f"in the standard tier: {why.value}",
            )  # fmt: skip
            self._reruns.add(connection, wish, seen=_ANY, at=datetime.now(UTC))
            back = "UPDATE model_batch_waiter SET back_at = $now, batch_id = ?, why = ?, body = '' WHERE message_id = ?"
            self._sql.run(connection, back, batch_id, why and why.value, message_id)
        if why is not None:
            ids = [analysis_id for _, analysis_id, _ in waiters if analysis_id]
            note_tier(self._sql, connection, ids, "standard", why.value)
        return len(waiters)

    def _questions(self, sql: str, *values: object) -> list[BatchQuestion]:
        rows = self.database.run(lambda connection: self._sql.rows(connection, sql, *values))
        return [
            BatchQuestion(key, question_id, purpose, model, prompt, json.loads(asks))
            for key, question_id, purpose, model, prompt, asks in rows
        ]


def _again(body: str, new_id: str, why: Why | None) -> dict[str, Any]:
    """Return a message as it is sent again: its wish for fresh answers stays, so that it finds this one."""
    before = json.loads(body)["options"]
    message = again(body, new_id)
    message["options"] |= {name: before[name] for name in (FRESH, TIER) if name in before}
    if why is not None:
        message["options"][TIER] = "standard"
    return message


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" for _ in values)
