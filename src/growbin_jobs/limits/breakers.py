"""The breakers of the cluster, in the central database: each change is one transaction on its row and its clock."""

from collections.abc import Callable
from dataclasses import astuple
from typing import Any, Final, TypeVar

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits import breaker as transitions
from growbin_jobs.limits.breaker import Admission, Breaker

T = TypeVar("T")

_COLUMNS: Final = "name, state, reason, failures, pauses, open_until, changed_at, fence, probe_until"


class Breakers:
    """Asks and tells breakers by name; one that nobody has told of a failure has no row and is closed.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        postgresql = database.dialect == "postgresql"
        self._mark = "%s" if postgresql else "?"
        self._clock = "extract(epoch FROM clock_timestamp())::float8" if postgresql else "unixepoch('subsec')"
        self._lock = " FOR UPDATE" if postgresql else ""

    def admit(self, name: str) -> Admission:
        """Ask to send one request; see :func:`growbin_jobs.limits.breaker.admit`."""
        known = self._read(name)
        if known is None or known[0].state == "closed":
            # The usual case writes nothing and locks nothing.
            return transitions.admit(*known)[0] if known else Admission()
        return self._change(name, transitions.admit)

    def failed(
        self,
        name: str,
        *,
        age: float,
        reason: str,
        needs_operator: bool = False,
        asked_wait: float = 0.0,
        probe: int | None = None,
    ) -> Breaker:
        """Note a request that failed; see :func:`growbin_jobs.limits.breaker.failed`.

        Parameters:
          name: Of the breaker.
          age: Seconds since the request was sent, by whatever clock measured them.
          reason: What happened.
          needs_operator: Whether only an operator can mend it.
          asked_wait: Seconds that the server asked to wait.
          probe: Its fencing number, if it was one.

        Returns:
          The breaker after it.
        """

        def note(breaker: Breaker, now: float) -> tuple[Breaker, Breaker]:
            after = transitions.failed(
                breaker,
                now,
                sent_at=now - age,
                reason=reason,
                needs_operator=needs_operator,
                asked_wait=asked_wait,
                probe=probe,
            )
            return after, after

        return self._change(name, note)

    def succeeded(self, name: str, *, probe: int | None = None) -> None:
        """Note a request that succeeded; see :func:`growbin_jobs.limits.breaker.succeeded`."""
        known = self._read(name)
        if known is not None and transitions.succeeded(*known, probe=probe) != known[0]:
            self._change(name, lambda breaker, now: (None, transitions.succeeded(breaker, now, probe=probe)))

    def reset(self, name: str) -> None:
        """Close a breaker, by a person's wish."""
        self._change(name, lambda breaker, now: (None, transitions.reset(breaker, now)))

    def all(self) -> list[Breaker]:
        """Return all breakers that have a row, by name."""
        sql = f"SELECT {_COLUMNS} FROM breaker"  # noqa: S608

        def work(connection: Any) -> list[Breaker]:
            return [Breaker(*row) for row in connection.execute_sql(sql).fetchall()]

        return sorted(self._database.run(work), key=lambda breaker: breaker.name)

    def _read(self, name: str) -> tuple[Breaker, float] | None:
        return self._database.run(lambda connection: self._row(connection, name, ""))

    def _row(self, connection: Any, name: str, lock: str) -> tuple[Breaker, float] | None:
        sql = f"SELECT {_COLUMNS}, {self._clock} FROM breaker WHERE name = {self._mark}{lock}"  # noqa: S608
        rows = connection.execute_sql(sql, (name,)).fetchall()
        return (Breaker(*rows[0][:-1]), float(rows[0][-1])) if rows else None

    def _change(self, name: str, transition: Callable[[Breaker, float], tuple[T, Breaker]]) -> T:
        marks = ", ".join([self._mark] * 9)
        insert = f"INSERT INTO breaker ({_COLUMNS}) VALUES ({marks}) ON CONFLICT (name) DO NOTHING"  # noqa: S608
        sets = ", ".join(f"{column.strip()} = {self._mark}" for column in _COLUMNS.split(",")[1:])
        update = f"UPDATE breaker SET {sets} WHERE name = {self._mark}"  # noqa: S608

        def work(connection: Any) -> T:
            connection.execute_sql(insert, astuple(Breaker(name)))
            row = self._row(connection, name, self._lock)
            assert row is not None
            result, after = transition(*row)
            if after != row[0]:
                connection.execute_sql(update, (*astuple(after)[1:], name))
            return result

        return self._database.transaction(work)
