"""The table ``model_answer``: answers that all nodes share, each asked for by one caller at a time.

Who asks holds a lease, renewed by a thread of its process while it waits for the model: a holder that dies is replaced
after :data:`LEASE` seconds, one that is slow is not.
"""

import logging
import threading
from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import GrowbinError

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds that a lease lasts, and between two renewals.
LEASE: Final = 10.0
RENEWAL: Final = LEASE / 3

#: Answers that are stored between two deletions of what has expired.
_PRUNE_EVERY: Final = 500


class Claim(NamedTuple):
    """What the table says to somebody who wants an answer; exactly one of the three is set.

    Attributes:
      response: The answer's JSON.
      fence: Number of the lease that the caller holds now: it must ask, and then keep or give up.
      wait: Seconds until the lease of another caller ends, unless it is renewed.
    """

    response: str | None = None
    fence: int | None = None
    wait: float | None = None


class SharedAnswers:
    """See :class:`growbin_jobs.ai.answers.SharedStore`.

    Parameters:
      database: The central one.
      ttl: Seconds that an answer is kept.
      lease: Seconds after which a holder that has died is replaced.
    """

    def __init__(self, database: Database, *, ttl: float, lease: float = LEASE) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._ttl = ttl
        self._lease = lease
        self._renewer = once_a_process(lambda: LeaseRenewer(self._renew, lease / 3))
        self._puts = 0

    def claim(self, key: str) -> Claim:
        """Return the answer, or the right to ask for it, or how long somebody else has that.

        Raises:
          Deferred: The database is away.
        """

        def work(connection: Any) -> Claim:
            taken = self._sql.rows(
                connection,
                "INSERT INTO model_answer (key, fence, leased_until, expires_at)"  # noqa: S608 constants only
                " VALUES (?, 1, $now + ?, $now + ?) ON CONFLICT (key) DO UPDATE"
                " SET fence = model_answer.fence + 1, leased_until = excluded.leased_until, response = NULL,"
                " expires_at = excluded.expires_at"
                " WHERE (model_answer.response IS NULL OR model_answer.expires_at <= $now)"
                f" AND {self._sql.ended('model_answer.leased_until', self._lease)} RETURNING fence",
                *(key, self._lease, self._ttl),
            )
            if taken:
                return Claim(fence=taken[0][0])
            found = self._sql.rows(
                connection, "SELECT response, leased_until - $now FROM model_answer WHERE key = ?", key
            )
            response, left = found[0] if found else (None, 0.0)
            return Claim(response=response) if response is not None else Claim(wait=max(0.0, left))

        # No transaction: where the answer or the lease of another is gone between the two, the caller asks again.
        claim = self._database.run(work)
        if claim.fence is not None:
            self._renewer().add(key, claim.fence)
        return claim

    def keep(self, key: str, fence: int, *, prompt: str, response: str, model: str) -> None:
        """Share an answer. It has been paid for: a database that is away costs only that the others ask again."""
        self._renewer().drop(key, fence)
        self._calmly(
            "keep", lambda connection: self.put(connection, key, prompt=prompt, response=response, model=model)
        )
        self._puts += 1
        if self._puts % _PRUNE_EVERY == 0:
            self.prune()

    def look(self, key: str) -> str | None:
        """Return the answer, or None; no right to ask is taken.

        Raises:
          Deferred: The database is away.
        """
        sql = "SELECT response FROM model_answer WHERE key = ? AND response IS NOT NULL AND expires_at > $now"
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql, key))
        return rows[0][0] if rows else None

    def put(self, connection: Any, key: str, *, prompt: str, response: str, model: str) -> None:
        """Share an answer, with a connection and perhaps inside of a transaction, whoever has the lease."""
        self._sql.run(
            connection,
            "INSERT INTO model_answer (key, fence, leased_until, expires_at, prompt, response, model)"
            " VALUES (?, 1, 0, $now + ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE"
            " SET leased_until = 0, expires_at = excluded.expires_at, prompt = excluded.prompt,"
            " response = excluded.response, model = excluded.model",
            *(key, self._ttl, storable(prompt), storable(response), storable(model)),
        )

    def give_up(self, key: str, fence: int) -> None:
        """Let others ask: the call of this holder has failed."""
        self._renewer().drop(key, fence)
        sql = "UPDATE model_answer SET leased_until = 0 WHERE key = ? AND fence = ?"
        self._calmly("give_up", lambda connection: self._sql.run(connection, sql, key, fence))

    def close(self) -> None:
        """Let go of every lease of this process, when it ends."""
        for key, fence in self._renewer().held():
            self.give_up(key, fence)

    def forget(self, key: str) -> None:
        """Delete an answer that does not fit: another version of this program has written it."""
        sql = "DELETE FROM model_answer WHERE key = ? AND response IS NOT NULL"
        self._calmly("forget", lambda connection: self._sql.run(connection, sql, key))

    def prune(self) -> int:
        """Delete what has expired, and return how many answers."""
        sql = "DELETE FROM model_answer WHERE expires_at <= $now AND leased_until <= $now"
        return self._calmly("prune", lambda connection: self._sql.run(connection, sql)) or 0

    def _renew(self, key: str, fence: int) -> None:
        sql = "UPDATE model_answer SET leased_until = $now + ? WHERE key = ? AND fence = ?"
        sql += " AND response IS NULL"
        self._calmly("renew", lambda connection: self._sql.run(connection, sql, self._lease, key, fence))

    def _calmly(self, what: str, work: Callable[[Any], T]) -> T | None:
        """Do what need not succeed: at worst an answer is paid for twice."""
        try:
            return self._database.run(work)
        except GrowbinError as error:
            logger.warning("answers.%s_failed reason=%s", what, type(error).__name__)
            return None


class LeaseRenewer:
    """Renews the leases of this process while it asks, in a thread that ends when none is held."""

    def __init__(self, renew: Callable[[str, int], None], every: float) -> None:
        self._renew = renew
        self._every = every
        self._held: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._runs = False

    def add(self, key: str, fence: int) -> None:
        with self._changed:
            self._held.add((key, fence))
            if not self._runs:
                threading.Thread(target=self._go_on, name="answer-leases", daemon=True).start()
                self._runs = True

    def held(self) -> list[tuple[str, int]]:
        with self._changed:
            return list(self._held)

    def drop(self, key: str, fence: int) -> None:
        with self._changed:
            self._held.discard((key, fence))
            if not self._held:
                self._changed.notify()

    def _go_on(self) -> None:
        while True:
            with self._changed:
                # Wakes up early only to end.
                self._changed.wait_for(lambda: not self._held, self._every)
                held = list(self._held)
                if not held:
                    self._runs = False
                    return
            for key, fence in held:
                self._renew(key, fence)
