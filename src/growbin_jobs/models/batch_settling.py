"""Settles questions of batches, and sends the messages again that wait for them.

A message is sent again by ``task_reruns`` and in the same transaction: under a new id that is made from its own, so
that it is one message however often that is tried.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.reruns import Kind, Reruns, Wish
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.reruns import FRESH, TIER, again, encoded
from growbin_jobs.models.analysis_tier import note_tier
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_questions import PAGE

#: Of the ids under which messages are sent again.
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "growbin-jobs:batches")

#: Who lets the message run again, in ``task_reruns``.
_BY: Final = "batches"

#: How often a task is let run again at most; here nobody presses twice.
_ANY: Final = 2**31


class BatchSettling:
    """Settles questions. Every method raises Deferred when the database is away.

    Parameters:
      database: The central one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._reruns = Reruns(database)

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
            sent += self._database.transaction(lambda one, keys=keys: self._wait_no_more(one, keys))  # type: ignore[misc]
        return sent

    def settle(self, ends: Mapping[str, Why | None], *, states: Sequence[str] = ("batched",)) -> int:
        """Settle questions, and send the messages again that wait for them; see :meth:`settle_in`."""
        return self._database.transaction(lambda connection: self.settle_in(connection, ends, states=states))

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
        marks = ", ".join("?" for _ in states)
        sql = (
            f"UPDATE model_batch_question SET state = 'done', asks = '{{}}' WHERE key = ?"  # noqa: S608
            f" AND state IN ({marks}) RETURNING id, batch_id"
        )
        sent = 0
        for key in sorted(ends):
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
        return [row[0] for row in self._database.run(lambda connection: self._sql.rows(connection, sql, *values))]

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


def _again(body: str, new_id: str, why: Why | None) -> dict[str, Any]:
    """Return a message as it is sent again: its wish for fresh answers stays, so that it finds this one."""
    before = json.loads(body)["options"]
    message = again(body, new_id)
    message["options"] |= {name: before[name] for name in (FRESH, TIER) if name in before}
    if why is not None:
        message["options"][TIER] = "standard"
    return message
