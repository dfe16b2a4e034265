"""The table ``webhook_deliveries``: messages on their way, and the history of those that have ended."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import Conflict, NotFound

#: Seconds for which a message is tried.
TRIED_FOR: Final = 86_400.0

#: Seconds for which the history stays.
KEPT_FOR: Final = 30 * 86_400.0

#: Seconds that a sender may take for one message before another one may send it too.
LEASE: Final = 60.0

_COLUMNS: Final = "id, webhook_id, rule, body, state, tries, created_at, next_at, ended_at, status, problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A message to a webhook.

    Attributes:
      id: The same in each try; a receiver knows by it what it has had.
      rule: Of what it tells; ``test`` where somebody tries the webhook.
      body: JSON, exactly as it is sent.
      state: ``waiting``, ``delivered`` or ``failed``.
      tries: How often it was sent.
      created_at, next_at, ended_at: Seconds since 1970.
      status: HTTP status of the last answer; None: there was none.
      problem: Why the last try failed.
    """

    id: str
    webhook_id: str
    rule: str
    body: str
    state: str
    tries: int
    created_at: float
    next_at: float
    ended_at: float | None
    status: int | None
    problem: str | None


class Deliveries:
    """The only writer of ``webhook_deliveries`` but for the removal of a webhook.

    Parameters:
      database: The central one.

    Every method raises Deferred when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def latest(self, webhook_id: str | None = None, *, limit: int = 100) -> list[Delivery]:
        """Return the newest, the newest first."""
        where, values = ("WHERE webhook_id = ?", (webhook_id,)) if webhook_id is not None else ("", ())
        return self._all(f"{where} ORDER BY created_at DESC, id LIMIT {int(limit)}", *values)

    def sums(self) -> dict[tuple[str, str], tuple[int, float]]:
        """Return by webhook and state how many there are, and when the last one ended or was made."""
        sql = (
            "SELECT webhook_id, state, count(*), max(coalesce(ended_at, created_at)) FROM webhook_deliveries "
            "GROUP BY webhook_id, state"
        )
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql))
        return {(webhook, state): (int(count), float(last)) for webhook, state, count, last in rows}

    def get(self, delivery_id: str) -> Delivery:
        """Return one.

        Raises:
          NotFound: There is none.
        """
        found = self._all("WHERE id = ?", storable(delivery_id))
        if not found:
            raise NotFound("There is no such message to a webhook.")
        return found[0]

    def add(self, connection: Any, webhook_id: str, rule: str, body: str, message_id: str) -> None:
        """Put a message into the outbox, in the transaction of the connection."""
        sql = (
            "INSERT INTO webhook_deliveries (id, webhook_id, rule, body, state, tries, created_at, give_up_at, "
            "next_at, leased_until) VALUES (?, ?, ?, ?, 'waiting', 0, $now, $now + ?, $now, 0)"
        )
        self._sql.run(connection, sql, message_id, webhook_id, rule, body, TRIED_FOR)

    def claim(self, worker: str) -> Delivery | None:
        """Return a message that is due and that nobody else sends, under a lease; None: there is none."""
        rested, free = self._sql.ended("next_at", TRIED_FOR), self._sql.ended("leased_until", LEASE)
        is_due = f"state = 'waiting' AND {rested} AND {free}"
        look = f"SELECT id FROM webhook_deliveries WHERE {is_due} ORDER BY next_at LIMIT 1"  # noqa: S608
        found = self._database.run(lambda connection: self._sql.rows(connection, look))
        if not found:
            return None
        sql = f"UPDATE webhook_deliveries SET leased_by = ?, leased_until = $now + ? WHERE id = ? AND {is_due}"  # noqa: S608
        taken = self._database.run(lambda connection: self._sql.run(connection, sql, worker, LEASE, found[0][0]))
        return self.get(found[0][0]) if taken else None

    def any_waiting(self) -> bool:
        """Return whether there are messages that nobody has sent, due or not."""
        sql = "SELECT 1 FROM webhook_deliveries WHERE state = 'waiting' LIMIT 1"
        return bool(self._database.run(lambda connection: self._sql.rows(connection, sql)))

    def delivered(self, delivery: Delivery, *, status: int) -> None:
        """Note that the receiver has it."""
        sql = (
            "UPDATE webhook_deliveries SET state = 'delivered', tries = tries + 1, status = ?, problem = NULL, "
            "ended_at = $now, leased_until = 0 WHERE id = ?"
        )
        self._database.run(lambda connection: self._sql.run(connection, sql, status, delivery.id))

    def failed(self, delivery: Delivery, *, status: int | None, problem: str, pause: float) -> None:
        """Note that a try failed, and let this and all that wait for the same webhook be tried after a pause.

        Parameters:
          pause: Seconds.
        """
        values = (status, problem[:500], delivery.id)
        this = (
            "UPDATE webhook_deliveries SET tries = tries + 1, status = ?, problem = ?, leased_until = 0, "
            "state = CASE WHEN give_up_at <= $now THEN 'failed' ELSE state END, "
            "ended_at = CASE WHEN give_up_at <= $now THEN $now ELSE NULL END WHERE id = ? AND state = 'waiting'"
        )
        others = (
            "UPDATE webhook_deliveries SET next_at = $now + ? WHERE webhook_id = ? AND state = 'waiting' "
            "AND next_at < $now + ?"
        )

        def work(connection: Any) -> None:
            self._sql.run(connection, this, *values)
            self._sql.run(connection, others, pause, delivery.webhook_id, pause)

        self._database.transaction(work)

    def gone(self, delivery: Delivery, *, status: int | None, problem: str) -> None:
        """Note that the receiver is gone: what waits for its webhook is given up."""
        this = "UPDATE webhook_deliveries SET tries = tries + 1, status = ? WHERE id = ? AND state = 'waiting'"
        all_ = (
            "UPDATE webhook_deliveries SET state = 'failed', problem = ?, ended_at = $now, leased_until = 0 "
            "WHERE webhook_id = ? AND state = 'waiting'"
        )

        def work(connection: Any) -> None:
            self._sql.run(connection, this, status, delivery.id)
            self._sql.run(connection, all_, problem, delivery.webhook_id)

        self._database.transaction(work)

    def again(self, delivery: Delivery) -> None:
        """Try one now, for another day, under its id.

        Raises:
          Conflict: The receiver has it.
        """
        sql = (
            "UPDATE webhook_deliveries SET state = 'waiting', next_at = $now, give_up_at = $now + ?, ended_at = NULL "
            "WHERE id = ? AND state <> 'delivered'"
        )
        if not self._database.run(lambda connection: self._sql.run(connection, sql, TRIED_FOR, delivery.id)):
            raise Conflict("The receiver has this message.")

    def forget(self) -> int:
        """Delete what ended long ago; return how many."""
        sql = "DELETE FROM webhook_deliveries WHERE ended_at < $now - ?"
        return self._database.run(lambda connection: self._sql.run(connection, sql, KEPT_FOR))

    def _all(self, rest: str, *values: Any) -> list[Delivery]:
        sql = f"SELECT {_COLUMNS} FROM webhook_deliveries {rest}"  # noqa: S608 the rest is ours
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql, *values))
        return [Delivery(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]


def new_id() -> str:
    """Return an id for a message."""
    return f"msg_{secrets.token_hex(12)}"
