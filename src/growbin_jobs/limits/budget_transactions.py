"""The books of the budgets on SQLite, which has one writer at a time: each change is one short transaction."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.limits import bookkeeping
from growbin_jobs.limits.bookkeeping import Entry, Totals, day_of, has_room, to_tell
from growbin_jobs.limits.budget_books import (
    EACH_USER,
    EXPIRED_AT_ONCE,
    LONGEST_LEASE,
    Answer,
    Asked,
    Clock,
    End,
    Judged,
)
from growbin_jobs.limits.budget_cover import Covers, is_covered


class TransactionBooks:
    """See :class:`growbin_jobs.limits.budget_books.Books`.

    Parameters:
      database: The central one, SQLite.
      zone: Whose days they are.
      clock: None: the database's.
      covers: Of the budgets.
    """

    def __init__(self, database: Database, zone: ZoneInfo, clock: Clock, covers: Covers) -> None:
        self._database = database
        self._covers = covers
        self._zone = zone
        self._clock = clock

    def reserve(self, reservation: str, asked: Sequence[Asked], amount: int, lease: float) -> Answer:
        return self._database.transaction(
            lambda connection: self._reserve(connection, reservation, asked, amount, lease), durable=False
        )

    def end(self, reservation: str, end: End, cost: int, usage_id: str | None) -> None:
        def change(entry: Entry) -> Entry:
            if end == "released":
                return bookkeeping.released(entry)
            return bookkeeping.ended(entry, cost if end == "settled" else None)

        def work(connection: Any) -> None:
            rows = _rows(
                connection, "SELECT id, name, day, amount, state, settled FROM budget_entry WHERE id = ?", reservation
            )
            _end(connection, rows, change, usage_id)

        # What a power cut undoes is a reservation that is open again, and unknown in the end.
        self._database.transaction(work, durable=False)

    def expire(self) -> int:
        sql = (
            "SELECT id, name, day, amount, state, settled FROM budget_entry"
            " WHERE state = 'open' AND (expires_at < ? OR expires_at > ?) ORDER BY day, name LIMIT ?"
        )

        def work(connection: Any) -> int:
            now = self._now(connection)
            rows = _rows(connection, sql, now, now + LONGEST_LEASE, EXPIRED_AT_ONCE)
            _end(connection, rows, lambda entry: bookkeeping.ended(entry, None), None)
            return len(rows)

        return self._database.transaction(work)

    def _reserve(self, connection: Any, reservation: str, asked: Sequence[Asked], amount: int, lease: float) -> Answer:
        now = self._now(connection)
        names = [one.name for one in asked]
        day = str(self._day(connection, now, names))
        covers, start = _covers(connection, names, day), self._covers.start(connection)
        caps = _caps(connection, asked)
        budgets = [_judge(connection, name, day, caps[name], amount, covers) for name in names]
        forgotten = [name for name, (_, of) in covers.items() if of != start]
        granted = all(one.has_room for one in budgets)
        if forgotten or (granted and not all(is_covered(one, amount) for one in budgets)):
            return Answer(now, day, budgets, forgotten)
        for one in budgets:
            _keep(connection, one, day, told=granted or not one.has_room)
            if granted:
                _add(connection, one.name, day, Entry(amount).totals)
                connection.execute_sql(
                    "INSERT INTO budget_entry (id, name, day, state, amount, settled, expires_at)"
                    " VALUES (?, ?, ?, 'open', ?, 0, ?)",
                    (reservation, one.name, day, amount, now + lease),
                )
        return Answer(now, day, budgets)

    def _day(self, connection: Any, now: float, names: Sequence[str]) -> date:
        sql = f"SELECT max(day) FROM budget_day WHERE name IN ({_marks(names)})"  # noqa: S608
        [(latest,)] = _rows(connection, sql, *names)
        return day_of(now, self._zone, date.fromisoformat(latest) if latest else None)

    def _now(self, connection: Any) -> float:
        if self._clock is not None:
            return self._clock()
        [(now,)] = _rows(connection, "SELECT unixepoch('subsec')")
        return float(now)


def _judge(
    connection: Any, name: str, day: str, cap: int | None, amount: int, covers: Mapping[str, tuple[int, str]]
) -> Judged:
    """Return what a budget says, whose totals begin with the first reservation of a day."""
    rows = _rows(
        connection,
        "SELECT reserved, settled, released, unknown, told FROM budget_day WHERE name = ? AND day = ?",
        *(name, day),
    )
    *numbers, told = rows[0] if rows else (0, 0, 0, 0, 0)
    totals, covered = Totals(*numbers), covers.get(name)
    return Judged(
        name,
        cap,
        totals.spent,
        has_room(totals, amount, cap),
        to_tell(totals.spent + amount, cap, told),
        covered[0] if covered else None,
    )


def _keep(connection: Any, one: Judged, day: str, *, told: bool) -> None:
    """Write what a budget has said; its totals begin with that."""
    connection.execute_sql(
        "INSERT INTO budget_day (name, day, cap, reserved, settled, released, unknown, told)"
        " VALUES (?, ?, ?, 0, 0, 0, 0, ?) ON CONFLICT (name, day)"
        " DO UPDATE SET cap = excluded.cap, told = max(told, excluded.told)",
        (one.name, day, one.cap, one.percent or 0 if told else 0),
    )


def _covers(connection: Any, names: Sequence[str], day: str) -> dict[str, tuple[int, str]]:
    sql = f"SELECT name, covered, server FROM budget_cover WHERE name IN ({_marks(names)}) AND day = ?"  # noqa: S608
    return {name: (covered, server) for name, covered, server in _rows(connection, sql, *names, day)}


def _caps(connection: Any, asked: Sequence[Asked]) -> dict[str, int | None]:
    names = [*(one.name for one in asked), EACH_USER]
    own = dict(_rows(connection, f"SELECT name, cap FROM budget WHERE name IN ({_marks(names)})", *names))  # noqa: S608
    return {one.name: own.get(one.name, own.get(EACH_USER, one.cap) if one.is_users else one.cap) for one in asked}


def _end(connection: Any, rows: Sequence[Any], change: Callable[[Entry], Entry], usage_id: str | None) -> None:
    for reservation, name, day, amount, state, settled in rows:
        before = Entry(amount, state, settled)
        after = change(before)
        if after != before:
            connection.execute_sql(
                "UPDATE budget_entry SET state = ?, settled = ?, usage_id = coalesce(?, usage_id)"
                " WHERE id = ? AND name = ?",
                (after.state, after.settled, usage_id, reservation, name),
            )
            _add(connection, name, day, after.totals, before.totals)


def _add(connection: Any, name: str, day: str, new: Totals, old: Totals = Totals()) -> None:  # noqa: B008
    connection.execute_sql(
        "UPDATE budget_day SET reserved = reserved + ?, settled = settled + ?, released = released + ?,"
        " unknown = unknown + ? WHERE name = ? AND day = ?",
        (
            new.reserved - old.reserved,
            new.settled - old.settled,
            new.released - old.released,
            new.unknown - old.unknown,
            *(name, day),
        ),
    )


def _rows(connection: Any, sql: str, *values: Any) -> list[Any]:
    return list(connection.execute_sql(sql, values).fetchall())


def _marks(names: Sequence[str]) -> str:
    return ", ".join("?" for _ in names)
