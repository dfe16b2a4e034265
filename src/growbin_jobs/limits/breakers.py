"""The breakers of the cluster, in the central database: each change is one transaction on its row and its clock."""

from collections.abc import Callable
from dataclasses import astuple, fields
from typing import Any, Final, TypeVar

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits import breaker as transitions
from growbin_jobs.limits.breaker import Admission, Breaker
from growbin_jobs.limits.breaker_failures import Failure, Noted, Past, noted

T = TypeVar("T")

_NAMES: Final = tuple(field.name for field in fields(Breaker))
_COLUMNS: Final = ", ".join(_NAMES)

_INSERT: Final = f"""
INSERT INTO breaker ({_COLUMNS}) VALUES ({", ".join("?" * len(_NAMES))}) ON CONFLICT (name) DO NOTHING
"""  # noqa: S608 constants only
_UPDATE: Final = f"UPDATE breaker SET {', '.join(f'{name} = ?' for name in _NAMES[1:])} WHERE name = ?"  # noqa: S608
_PAST: Final = "SELECT failed_at, times FROM breaker_failure WHERE breaker = ? AND message_id = ?"
_FORGET: Final = "DELETE FROM breaker_failure WHERE breaker = ? AND failed_at < ?"
_REMEMBER: Final = """
INSERT INTO breaker_failure (breaker, message_id, failed_at, times) VALUES (?, ?, ?, ?)
ON CONFLICT (breaker, message_id) DO UPDATE SET failed_at = excluded.failed_at, times = excluded.times
"""

#: Seconds that a message's failures are remembered.
REMEMBERED: Final = 86_400.0


class Breakers:
    """See :class:`growbin_jobs.limits.breaker_store.BreakerStore`; a breaker without a row is closed.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._words = SqlWords(database.dialect)

    def admit(self, name: str, *, per_minute: float = 0.0, message_id: str = "") -> Admission:
        known = self._read(name)
        if known is None:
            return Admission(settled=True)

        def ask(breaker: Breaker, now: float) -> tuple[Admission, Breaker]:
            return transitions.admit(breaker, now, per_minute=per_minute, message_id=message_id)

        admission, after = ask(*_healed(known))
        # The usual case, and a refusal, write nothing and lock nothing.
        if after == known[0]:
            return admission._replace(settled=transitions.is_settled(after))
        return self._change(name, lambda _, breaker, now: ask(breaker, now))

    def may_send(self, name: str) -> float:
        known = self._read(name)
        return transitions.closed_in(*_healed(known)) if known else 0.0

    def failed(self, name: str, failure: Failure) -> Noted:
        def note(connection: Any, breaker: Breaker, now: float) -> tuple[Noted, Breaker]:
            past = self._past(connection, name, failure.message_id)
            result, remembered = noted(breaker, past, now, failure)
            if remembered is not None:
                self._remember(connection, name, failure.message_id, remembered, now)
            return result, result.breaker

        return self._change(name, note)

    def succeeded(self, name: str, *, age: float, probe: int | None = None) -> None:
        self._change_known(name, lambda known, now: transitions.succeeded(known, now, sent_at=now - age, probe=probe))

    def unused(self, name: str, *, probe: int) -> None:
        self._change_known(name, lambda known, now: transitions.unused(known, now, probe=probe))

    def told(self, name: str, *, by_server: float, per_minute: float) -> None:
        def note(breaker: Breaker, now: float) -> Breaker:
            return transitions.told(breaker, now, by_server=by_server, per_minute=per_minute)

        known = self._read(name) or (Breaker(name), 0.0)
        if note(*_healed(known)) != known[0]:
            self._change(name, lambda _, breaker, at: (None, note(breaker, at)))

    def reset(self, name: str) -> bool:
        return self._change_known(name, transitions.reset)

    def all(self) -> list[tuple[Breaker, float]]:
        sql = f"SELECT {_COLUMNS}, $now FROM breaker"  # noqa: S608 constants only

        def work(connection: Any) -> list[tuple[Breaker, float]]:
            return [_healed(_known(row)) for row in self._words.rows(connection, sql)]

        return sorted(self._database.run(work), key=lambda row: row[0].name)

    def _read(self, name: str) -> tuple[Breaker, float] | None:
        return self._database.run(lambda connection: self._row(connection, name, ""))

    def _row(self, connection: Any, name: str, lock: str) -> tuple[Breaker, float] | None:
        rows = self._words.rows(connection, f"SELECT {_COLUMNS}, $now FROM breaker WHERE name = ? {lock}", name)  # noqa: S608
        return _known(rows[0]) if rows else None

    def _change_known(self, name: str, transition: Callable[[Breaker, float], Breaker]) -> bool:
        """Change a breaker that has a row, where the transition changes anything. Returns whether it has one."""
        known = self._read(name)
        if known is not None and transition(*_healed(known)) != known[0]:
            self._change(name, lambda _, breaker, now: (None, transition(breaker, now)))
        return known is not None

    def _change(self, name: str, transition: Callable[[Any, Breaker, float], tuple[T, Breaker]]) -> T:
        def work(connection: Any) -> T:
            self._words.run(connection, _INSERT, *astuple(Breaker(name)))
            row = self._row(connection, name, "$lock")
            assert row is not None
            result, after = transition(connection, *_healed(row))
            if after != row[0]:
                self._words.run(connection, _UPDATE, *astuple(after)[1:], name)
            return result

        return self._database.transaction(work)

    def _past(self, connection: Any, name: str, message_id: str) -> Past | None:
        rows = self._words.rows(connection, _PAST, name, message_id) if message_id else []
        return Past(*rows[0]) if rows else None

    def _remember(self, connection: Any, name: str, message_id: str, past: Past, now: float) -> None:
        self._words.run(connection, _FORGET, name, now - REMEMBERED)
        self._words.run(connection, _REMEMBER, name, message_id, *past)


def _known(row: tuple[Any, ...]) -> tuple[Breaker, float]:
    return Breaker(*row[:-1]), float(row[-1])


def _healed(known: tuple[Breaker, float]) -> tuple[Breaker, float]:
    """Return a breaker as it is taken to be; who changes it writes all of that."""
    return transitions.healed(*known), known[1]
