"""The table ``server_facts``: what is learnt of model servers, for all nodes, with one caller at a time who finds out.

Facts grow and are kept for good. See :mod:`growbin_jobs.adapters.llm.learning`.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import GrowbinError
from growbin_jobs.models.answers import LEASE, LeaseRenewer

logger = logging.getLogger(__name__)


class About(Protocol):
    """The server and the model that facts are about."""

    @property
    def url(self) -> str: ...

    @property
    def model(self) -> str: ...


class Kept(NamedTuple):
    """Facts of one model of one server, as text."""

    url: str
    model: str
    facts: str


class ServerFacts:
    """See :class:`growbin_jobs.adapters.llm.learning.Memory`.

    Parameters:
      database: The central one.
      lease: Seconds after which a caller that finds out and has died is replaced.
    """

    def __init__(self, database: Database, *, lease: float = LEASE) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._lease = lease
        self._renewer = once_a_process(lambda: LeaseRenewer(self._renew, lease / 3))

    def read(self, key: str) -> str | None:
        """Return what is known, as text.

        Raises:
          Deferred: The database is away.
        """
        sql = "SELECT facts FROM server_facts WHERE key = ?"
        found = self._database.run(lambda connection: self._sql.rows(connection, sql, key))
        return found[0][0] if found else None

    def add(self, key: str, about: About, merge: Callable[[str | None], str]) -> str:
        """Replace what is known by what ``merge`` makes of it, in one step, and return that.

        Raises:
          Deferred: The database is away.
        """

        def work(connection: Any) -> str:
            self._insert(connection, key)
            lock = "UPDATE server_facts SET url = ?, model = ? WHERE key = ? RETURNING facts"
            [(before,)] = self._sql.rows(connection, lock, storable(about.url), storable(about.model), key)
            after = merge(before)
            self._sql.run(connection, "UPDATE server_facts SET facts = ? WHERE key = ?", storable(after), key)
            return after

        return self._database.transaction(work)

    def lead(self, key: str) -> int | None:
        """Take the lease; None while somebody else has it.

        Raises:
          Deferred: The database is away.
        """

        def work(connection: Any) -> int | None:
            self._insert(connection, key)
            taken = self._sql.rows(
                connection,
                "UPDATE server_facts SET fence = fence + 1, leased_until = $now + ?"  # noqa: S608 constants only
                f" WHERE key = ? AND {self._sql.ended('leased_until', self._lease)} RETURNING fence",
                *(self._lease, key),
            )
            return int(taken[0][0]) if taken else None

        fence = self._database.transaction(work)
        if fence is not None:
            self._renewer().add(key, fence)
        return fence

    def release(self, key: str, fence: int) -> None:
        """Give the lease back; never raises."""
        self._renewer().drop(key, fence)
        self._set_lease(key, fence, 0.0)

    def all(self) -> list[Kept]:
        """Return all facts, by server and model.

        Raises:
          Deferred: The database is away.
        """
        sql = "SELECT url, model, facts FROM server_facts WHERE facts IS NOT NULL ORDER BY url, model"
        return [Kept(*row) for row in self._database.run(lambda connection: self._sql.rows(connection, sql))]

    def forget(self, model: str | None = None) -> int:
        """Forget what is known of a model on all servers, or of all models; return of how many.

        Raises:
          Deferred: The database is away.
        """
        sql = "DELETE FROM server_facts WHERE facts IS NOT NULL"
        if model is None:
            return self._database.run(lambda connection: self._sql.run(connection, sql))
        return self._database.run(lambda connection: self._sql.run(connection, f"{sql} AND model = ?", model))

    def _insert(self, connection: Any, key: str) -> None:
        sql = "INSERT INTO server_facts (key, fence, leased_until) VALUES (?, 0, 0) ON CONFLICT (key) DO NOTHING"
        self._sql.run(connection, sql, key)

    def _renew(self, key: str, fence: int) -> None:
        self._set_lease(key, fence, self._lease)

    def _set_lease(self, key: str, fence: int, seconds: float) -> None:
        sql = "UPDATE server_facts SET leased_until = $now + ? WHERE key = ? AND fence = ?"
        try:
            self._database.run(lambda connection: self._sql.run(connection, sql, seconds, key, fence))
        except GrowbinError as error:
            logger.warning("server_facts.lease_failed reason=%s", type(error).__name__)
