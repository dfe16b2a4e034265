"""Adds up the usage of each day that has ended, and deletes single requests and reservations after their time."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.forgetting import OldRows, forget
from growbin_jobs.engine.central.sql_words import SqlWords

#: Days whose requests are counted again: rows may come late from a node that was away.
COUNTED_AGAIN: Final = 35

#: Days that reservations are kept: as long as the books of a day can be compared.
ENTRIES_KEPT: Final = 35

_SUMS: Final = """
INSERT INTO llm_usage_sum
    (day, model, purpose, user_id, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, model, purpose, coalesce(user_id, ''), count(*), sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END),
       coalesce(sum(tokens_in), 0), coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
       coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0)
FROM llm_usage WHERE day = ? GROUP BY day, model, purpose, coalesce(user_id, '')
"""

_DAY: Final = """
INSERT INTO llm_usage_total
    (day, model, purpose, requests, unpriced, tokens_in, tokens_cached, tokens_reasoning, tokens_out, cost)
SELECT day, model, purpose, sum(requests), sum(unpriced), sum(tokens_in), sum(tokens_cached), sum(tokens_reasoning),
       sum(tokens_out), sum(cost)
FROM llm_usage_sum WHERE day = ? GROUP BY day, model, purpose
"""


def roll_up(database: Database, today: date) -> int:
    """Add up the days before yesterday, where that was not done yet or rows have come since. Safe to run at once.

    Parameters:
      database: The central one.
      today: In the zone of the ledger.

    Returns:
      How many days were added up.

    Raises:
      Deferred: The database is away.
    """
    sql = SqlWords(database.dialect)
    first, last = (today - timedelta(days=days) for days in (COUNTED_AGAIN, 2))
    counts = "SELECT day, count(*) FROM llm_usage WHERE day >= ? AND day <= ? GROUP BY day"
    done = "SELECT day, requests FROM llm_usage_rolled WHERE day >= ?"
    found = database.run(lambda one: dict(sql.rows(one, counts, str(first), str(last))))
    rolled = database.run(lambda one: dict(sql.rows(one, done, str(first))))
    # Fewer than were added up: the others have been deleted since.
    due = sorted(day for day, requests in found.items() if requests > rolled.get(day, 0))
    for day in due:
        database.transaction(lambda connection, day=day: _roll(sql, connection, day))  # type: ignore[misc]
    return len(due)


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
        database, today = self.database(), datetime.now(self.zone).date()
        added = roll_up(database, today)
        deleted = prune(
            database,
            requests_before=today - timedelta(days=self.days),
            entries_before=today - timedelta(days=ENTRIES_KEPT),
        )
        return {"days": added, "deleted": deleted} if added or deleted else {}


def _roll(sql: SqlWords, connection: Any, day: str) -> None:
    # First, so that two keepers do it one after the other.
    sql.run(
        connection,
        "INSERT INTO llm_usage_rolled (day, requests) VALUES (?, 0)"
        " ON CONFLICT (day) DO UPDATE SET requests = excluded.requests",
        day,
    )
    sql.run(connection, "DELETE FROM llm_usage_sum WHERE day = ?", day)
    sql.run(connection, _SUMS, day)
    sql.run(connection, "DELETE FROM llm_usage_total WHERE day = ?", day)
    sql.run(connection, _DAY, day)
    sql.run(
        connection,
        "UPDATE llm_usage_rolled SET requests = (SELECT coalesce(sum(requests), 0) FROM llm_usage_sum WHERE day = ?)"
        " WHERE day = ?",
        *(day, day),
    )
