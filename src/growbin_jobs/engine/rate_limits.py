"""Rate limiters and barriers of Dramatiq's on the central database: no Redis is needed for them.

::

    from dramatiq.rate_limits import ConcurrentRateLimiter
    MUTEX = ConcurrentRateLimiter(engine.rate_limiter_backend, "reports", limit=1)

Every node that shares the database shares the counters; times are the database's own. Counters are kept beside the
tasks; what has expired counts as absent, and is deleted now and then.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from dramatiq.rate_limits import RateLimiterBackend

if TYPE_CHECKING:
    import peewee

    from growbin_jobs.engine.central.database import Database
    from growbin_jobs.engine.central.driver import Dialect

_NOW = {
    "postgresql": "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS double precision)",
    "sqlite": "unixepoch('now', 'subsec')",
}

#: Seconds between two looks while waiting for an event: first, and at most.
FIRST_PAUSE, LAST_PAUSE = 0.05, 0.5

#: So many changes in a process, and what has expired is deleted once.
CLEAN_AFTER = 200

_LOCK = "SELECT pg_advisory_xact_lock(hashtext(%s))"
_GET = "SELECT value FROM rate_limits WHERE name = %s AND expires_at > {now}"
_PUT = """
INSERT INTO rate_limits (name, value, expires_at) VALUES (%s, %s, {now} + %s)
ON CONFLICT (name) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""
_CLEAN = "DELETE FROM rate_limits WHERE expires_at <= {now}"

T = TypeVar("T")


class DatabaseBackend(RateLimiterBackend):
    """Counts in the table ``rate_limits`` of the central database.

    Every method raises Deferred when the database is away: an actor that acquires a limit is then put off.

    Parameters:
      database: Returns the central database, the same one each time.
    """

    def __init__(self, database: Callable[[], Database]) -> None:
        self._database = database
        self._changes = 0

    def add(self, key: str, value: int, ttl: int) -> bool:
        """Add a counter unless there is one. Returns whether it was added; ``ttl`` in milliseconds."""
        return self._alone(key, lambda table: table.get(key) is None and table.put(key, value, ttl))

    def incr(self, key: str, amount: int, maximum: int, ttl: int) -> bool:
        """Add to a counter unless that exceeds the maximum. Returns whether it was added."""

        def work(table: _Table) -> bool:
            value = (table.get(key) or 0) + amount
            return value <= maximum and table.put(key, value, ttl)

        return self._alone(key, work)

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        """Subtract from a counter unless that falls below the minimum. Returns whether it was subtracted."""

        def work(table: _Table) -> bool:
            value = (table.get(key) or 0) - amount
            return value >= minimum and table.put(key, value, ttl)

        return self._alone(key, work)

    def incr_and_sum(self, key: str, keys: Callable[[], Iterable[str]], amount: int, maximum: int, ttl: int) -> bool:
        """Add to a counter unless the sum of several then exceeds the maximum. Returns whether it was added."""

        def work(table: _Table) -> bool:
            if sum(table.get(each) or 0 for each in keys()) + amount > maximum:
                return False
            return table.put(key, (table.get(key) or 0) + amount, ttl)

        return self._alone(key.rpartition("@")[0] or key, work)

    def wait(self, key: str, timeout: int | None) -> bool:
        """Wait for an event. Returns False after the timeout (milliseconds; None: none)."""
        end = None if timeout is None else time.monotonic() + timeout / 1000
        pause = FIRST_PAUSE
        while self._alone(key, lambda table: table.get(key)) is None:
            if end is not None and time.monotonic() + pause > end:
                return False
            time.sleep(pause)
            pause = min(2 * pause, LAST_PAUSE)
        return True

    def wait_notify(self, key: str, ttl: int) -> None:
        """Tell all that wait for an event, and that will within ``ttl`` milliseconds."""
        self._alone(key, lambda table: table.put(key, 1, ttl))

    def arrive(self, key: str, member: str, ttl: int) -> bool | None:
        """Count a member of a barrier once, however often it arrives.

        Parameters:
          key: The barrier.
          member: Who arrives; the same name each time.
          ttl: Milliseconds that this is remembered.

        Returns:
          Whether all have arrived; None where there is no such barrier, or no more.
        """

        def work(table: _Table) -> bool | None:
            left = table.get(key)
            if left is None:
                return None
            if table.get(f"{key}@{member}") is None:
                left -= 1
                table.put(f"{key}@{member}", 1, ttl)
                table.put(key, left, ttl)
            return left <= 0

        return self._alone(key, work)

    def _alone(self, key: str, work: Callable[[_Table], T]) -> T:
        """Let one after the other work on the counters of a key."""
        database = self._database()
        self._changes += 1
        clean = self._changes % CLEAN_AFTER == 0

        def in_transaction(connection: peewee.Database) -> T:
            table = _Table(connection, database.dialect)
            if database.dialect == "postgresql":  # on SQLite the transaction has the only lock that there is
                table.execute(_LOCK, key).fetchall()
            if clean:
                table.execute(_CLEAN)
            return work(table)

        return database.transaction(in_transaction)


class _Table:
    """The counters, inside of a transaction."""

    def __init__(self, connection: peewee.Database, dialect: Dialect) -> None:
        self._connection = connection
        self._dialect = dialect

    def get(self, key: str) -> int | None:
        rows = self.execute(_GET, key).fetchall()
        return int(rows[0][0]) if rows else None

    def put(self, key: str, value: int, ttl: int) -> bool:
        """Set a counter; returns True."""
        self.execute(_PUT, key, value, ttl / 1000)
        return True

    def execute(self, statement: str, *values: Any) -> Any:
        text = statement.format(now=_NOW[self._dialect])
        text = text if self._dialect == "postgresql" else text.replace("%s", "?")
        return self._connection.execute_sql(text, values)  # type: ignore[no-untyped-call]
