"""Table ``limit_promise``: what each limit promised, and since when. The latest row of a name holds.

A rate that a person sets at run time wins over the setting, also after a restart, until it is given back to the
setting. The history is kept: a proof over yesterday must know what was promised yesterday.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal, NamedTuple

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.rates import Rate

#: ``setting``: a program with this setting has started; ``person``: ``growbin-jobs limits set``.
Origin = Literal["setting", "person"]

_COLUMNS: Final = "name, since, most, window_seconds, origin"
_ALL: Final = f"SELECT {_COLUMNS} FROM limit_promise"  # noqa: S608 constants only

#: A clock that was set back must not let an older promise win over this one.
_INSERT: Final = f"""
INSERT INTO limit_promise ({_COLUMNS})
SELECT ?, CASE WHEN coalesce(max(since), 0) < $now THEN $now ELSE max(since) + 0.000001 END, ?, ?, ?
FROM limit_promise WHERE name = ?
ON CONFLICT (name, since) DO NOTHING
"""  # noqa: S608 constants only


class Promise(NamedTuple):
    """A rate of one limit.

    Attributes:
      name: Of the limit; ``user:*`` for all users without one of their own.
      since: When it began to hold, in seconds since 1970 on the database's clock.
      rate: At most so much.
      origin: Who says so.
    """

    name: str
    since: float
    rate: Rate
    origin: Origin


class Promises:
    """The table of promises.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def configure(self, rates: Iterable[tuple[str, Rate]]) -> dict[str, Rate]:
        """Note what the settings say, and return what holds: a rate that a person set wins.

        Parameters:
          rates: By the limit's name.
        """

        def work(connection: Any) -> dict[str, Rate]:
            held: dict[str, Rate] = {}
            for name, rate in sorted(rates):
                latest = self._latest(connection, name)
                if latest is None or (latest.origin == "setting" and latest.rate != rate):
                    self._insert(connection, name, rate, "setting")
                    held[name] = rate
                else:
                    held[name] = latest.rate
            return held

        rates = list(rates)
        return self._database.transaction(work)

    def of_person(self, names: Iterable[str]) -> dict[str, Rate]:
        """Return the rates that a person set and that hold now, of some limits."""
        asked = sorted(set(names))

        def work(connection: Any) -> list[Promise]:
            return [found for name in asked if (found := self._latest(connection, name)) and found.origin == "person"]

        return {each.name: each.rate for each in self._database.run(work)}

    def set(self, name: str, rate: Rate, origin: Origin = "person") -> None:
        """Let a rate hold from now on."""
        self._database.transaction(lambda connection: self._insert(connection, name, rate, origin))

    def history(self) -> list[Promise]:
        """Return all promises by name and time, the oldest first."""
        rows = self._database.run(lambda connection: self._words.rows(connection, _ALL))
        return sorted(map(_promise, rows))

    def current(self) -> dict[str, Promise]:
        """Return what holds now, by name."""
        return {each.name: each for each in self.history()}

    def _latest(self, connection: Any, name: str) -> Promise | None:
        rows = self._words.rows(connection, f"{_ALL} WHERE name = ? ORDER BY since DESC LIMIT 1", name)
        return _promise(rows[0]) if rows else None

    def _insert(self, connection: Any, name: str, rate: Rate, origin: Origin) -> None:
        self._words.run(connection, _INSERT, name, rate.most, rate.window, origin, name)


def _promise(row: Any) -> Promise:
    name, since, most, window, origin = row
    return Promise(name, float(since), Rate(int(most), float(window)), origin)
