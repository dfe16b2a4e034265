"""Looks whether the sums of usage are right, and deletes single requests and reservations after their time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.clock import time_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.forgetting import OldRows, forget
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage_spans import make_spans
from growbin_jobs.limits.usage_sums import make_anew

#: Days whose requests are counted again: rows may come late from a node that was away.
COUNTED_AGAIN: Final = 35

#: Days that reservations are kept: as long as the books of a day can be compared.
ENTRIES_KEPT: Final = 35

_COUNT: Final = "SELECT count(*) FROM llm_usage WHERE day = ?"
_ADDED: Final = "SELECT coalesce(sum(requests), 0) FROM llm_usage_total WHERE day = ?"
_TIERED: Final = "SELECT coalesce(sum(requests), 0) FROM llm_usage_tier WHERE day = ?"
_ROLLED: Final = "SELECT requests FROM llm_usage_rolled WHERE day = ?"
_CLOSE: Final = (
    "INSERT INTO llm_usage_rolled (day, requests) VALUES (?, ?)"
    " ON CONFLICT (day) DO UPDATE SET requests = excluded.requests"
)


def roll_up(database: Database, today: date) -> int:
    """See to it that the sums of each day are those of its requests, and close the days before yesterday.

    Sums are kept with each row that is written (:mod:`growbin_jobs.limits.usage_sums`). Those of a day are made anew
    where it has more requests than were added: a node of an older release has written them. Safe to run at once.

    Parameters:
      database: The central one.
      today: In the zone of the ledger.

    Returns:
      The days that were closed or made anew.

    Raises:
      Deferred: The database is away.
    """
    sql = SqlWords(database.dialect)
    changed = 0
    for back in range(COUNTED_AGAIN, -1, -1):  # a day at a time: a day of ten million takes a second
        day = (today - timedelta(days=back)).isoformat()
        questions = (_COUNT, _ADDED, _TIERED, _ROLLED)
        found, added, tiered, closed = (_one(database, sql, question, day) for question in questions)
        # Fewer than were added up: the others have been deleted since.
        anew = (found or 0) > min(added or 0, tiered or 0)
        close = back >= 2 and bool(found) and (found or 0) > (closed or 0)
        if anew or close:
            database.transaction(partial(_mend, sql, database.dialect, day, anew=anew, close=close))
            changed += 1
    return changed


def _one(database: Database, sql: SqlWords, question: str, day: str) -> int | None:
    rows = database.run(lambda connection: sql.rows(connection, question, day))
    return int(rows[0][0]) if rows else None


def _mend(sql: SqlWords, dialect: Dialect, day: str, connection: Any, *, anew: bool, close: bool) -> None:
    if anew:
        make_anew(connection, dialect, day)
    if close:
        [(requests,)] = sql.rows(connection, _ADDED, day)
        sql.run(connection, _CLOSE, day, int(requests))


def prune(database: Database, *, requests_before: date, entries_before: date) -> int:
    """Delete single requests and ended reservations of days before, in batches, and return how many rows.

    Requests are deleted only where their day has been added up.

    Raises:
      Deferred: The database is away.
    """
    return sum(forget(database, old_rows(requests_before, entries_before)).values())


def old_rows(requests_before: date, entries_before: date) -> list[OldRows]:
    """Return what :func:`prune` deletes."""
    rolled = "EXISTS (SELECT 1 FROM llm_usage_rolled r WHERE r.day = llm_usage.day)"
    return [
        OldRows("llm_usage", ("id",), f"day < ? AND {rolled}", (str(requests_before),)),
        OldRows("budget_entry", ("id", "name"), "day < ? AND state <> 'open'", (str(entries_before),)),
    ]


@dataclass(frozen=True, slots=True)
class KeepUsage:
    """A periodic job: add up and prune. The keepers of all nodes do it; what another one has done is fine.

    Attributes:
      database: Returns the central one.
      zone: Of the ledger's days.
      days: That single requests are kept.
    """

    database: Callable[[], Database]
    zone: ZoneInfo
    days: int

    def run_once(self) -> dict[str, int]:
        database = self.database()
        today = time_of(database).astimezone(self.zone).date()  # not by this node's clock: it deletes for all
        added = roll_up(database, today)
        spans = make_spans(database, before=today - timedelta(days=1))
        deleted = prune(
            database,
            requests_before=today - timedelta(days=self.days),
            entries_before=today - timedelta(days=ENTRIES_KEPT),
        )
        done = {"days": added, "spans": spans, "deleted": deleted}
        return done if any(done.values()) else {}
