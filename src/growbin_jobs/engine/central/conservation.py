"""Whether every message that the central database knows of has one fate: what was accepted, and what became of it.

What was accepted is counted from everything that names a message: tasks, dead letters, attempts, and the parents of
tasks. A message that only one of them knows is a hole; its fate is counted from ``tasks`` and ``dead_letters`` alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.records import ABORTED, DROPPED, REVOKED

_LETTERS: Final = "EXISTS (SELECT 1 FROM dead_letters l WHERE l.task_id = t.task_id"
_OPEN: Final = "l.retried_at IS NULL AND l.discarded_at IS NULL AND l.taken_by IS NULL"

#: The fate of a task; those of :data:`FATES_OF_HOLES` are none.
_FATE: Final = f"""CASE
    WHEN t.status = 'completed' AND t.error = '{REVOKED}' THEN 'revoked'
    WHEN t.status = 'completed' AND t.error = '{ABORTED}' THEN 'aborted'
    WHEN t.status = 'completed' THEN 'completed'
    WHEN t.status IN ('pending', 'running', 'failed') THEN t.status
    WHEN t.status <> 'dead' THEN 'of no known state'
    WHEN {_LETTERS} AND l.retried_at IS NULL AND l.discarded_at IS NULL) THEN 'dead'
    WHEN {_LETTERS} AND l.discarded_at IS NOT NULL) THEN 'discarded'
    WHEN {_LETTERS}) THEN 'dead, retried, and never seen again'
    ELSE 'dead without a dead letter' END"""

COMPLETED: Final = ("completed", "revoked", "aborted")
DEAD: Final = ("dead", "discarded")
IN_FLIGHT: Final = ("pending", "running", "failed")
FATES_OF_HOLES: Final = (
    "dead without a dead letter", "dead, retried, and never seen again", "of no known state",
)  # fmt: skip

#: Messages that something names and that are no task; each takes the span twice.
_UNKNOWN: Final = {
    "a dead letter of no task": """SELECT l.task_id FROM dead_letters l LEFT JOIN tasks t ON t.task_id = l.task_id
        WHERE t.task_id IS NULL AND l.died_at >= ? AND l.died_at < ?""",
    "a failed attempt of no task": """SELECT a.task_id FROM task_attempts a LEFT JOIN tasks t ON t.task_id = a.task_id
        WHERE t.task_id IS NULL AND a.ended_at >= ? AND a.ended_at < ?""",
    "it has sent another one, and is no task": """SELECT c.parent_id FROM tasks c
        LEFT JOIN tasks t ON t.task_id = c.parent_id
        WHERE t.task_id IS NULL AND c.parent_id IS NOT NULL AND c.created_at >= ? AND c.created_at < ?""",
}
_SPAN: Final = "t.created_at >= ? AND t.created_at < ?"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fates:
    """What became of the messages of a span.

    Attributes:
      accepted: Messages that anything names.
      by_fate: How many tasks have each fate.
      holes: Messages without a fate, each with the reason; at most as many as were asked for.
      doubles: Messages that are completed and yet an open dead letter; at most as many.
      holes_in_all, doubles_in_all: How many there are.
      fresh: Of those in flight, the ones that would be holes were they not copied just now.
      overdue: Messages in flight of which nothing was heard for long.
    """

    accepted: int
    by_fate: dict[str, int]
    holes: list[tuple[str, str]]
    doubles: list[str]
    holes_in_all: int
    doubles_in_all: int
    fresh: int
    overdue: int


def fates(
    database: Database, since: datetime, until: datetime, *, settled: datetime, heard: datetime, limit: int
) -> Fates:
    """Count, in one snapshot, the messages that were created in a span.

    Parameters:
      since, until: The span; its end is not part of it.
      settled: What was copied later than this is on its way: its dead letter may come in the next run.
      heard: What is in flight and neither copied nor due since then is overdue.
      limit: Holes and doubles that are named.

    Raises:
      Deferred: The database is away.
    """
    sql, moment = SqlWords(database.dialect), UtcField().db_value
    span = (moment(since), moment(until))

    def work(connection: Any) -> Fates:
        if database.dialect == "postgresql":
            sql.run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        by_fate = _counted(sql.rows(connection, _BY_FATE, moment(settled), *span))
        unknown = {why: {row[0] for row in sql.rows(connection, one, *span)} for why, one in _UNKNOWN.items()}
        [(tasks,)] = sql.rows(connection, f"SELECT count(*) FROM tasks t WHERE {_SPAN}", *span)  # noqa: S608
        [(fresh,)] = sql.rows(connection, _FRESH, *span, moment(settled))
        [(overdue,)] = sql.rows(connection, _OVERDUE, *span, moment(heard), moment(heard))
        [(doubles,)] = sql.rows(connection, f"SELECT count(*) {_DOUBLES}", *span)
        named = sql.rows(connection, _HOLES, *span, moment(settled), limit)
        unseen = set().union(*unknown.values())
        return Fates(
            accepted=int(tasks) + len(unseen),
            by_fate=by_fate,
            holes=[*((str(task), str(fate)) for task, fate in named), *_reasons(unknown)][:limit],
            doubles=[
                str(row[0])
                for row in sql.rows(connection, f"SELECT t.task_id {_DOUBLES} ORDER BY t.task_id LIMIT ?", *span, limit)
            ],
            holes_in_all=sum(by_fate.get(fate, 0) for fate in FATES_OF_HOLES) + len(unseen),
            doubles_in_all=int(doubles),
            fresh=int(fresh),
            overdue=int(overdue),
        )

    return database.transaction(work)


_NO_FATE: Final = ", ".join(f"'{fate}'" for fate in FATES_OF_HOLES)
_DROPPED: Final = ", ".join(f"'{word}'" for word in DROPPED)

#: A fate of a hole counts as in flight while its row is new: the journal's other rows are copied behind it.
_BY_FATE: Final = f"""SELECT CASE WHEN fate IN ({_NO_FATE}) AND synced_at > ? THEN 'running' ELSE fate END, count(*)
    FROM (SELECT {_FATE} AS fate, t.synced_at FROM tasks t WHERE {_SPAN}) AS known GROUP BY 1"""  # noqa: S608
_HOLES: Final = f"""SELECT task_id, fate FROM (SELECT t.task_id, t.synced_at, {_FATE} AS fate FROM tasks t
    WHERE {_SPAN}) AS known WHERE fate IN ({_NO_FATE}) AND synced_at <= ? ORDER BY task_id LIMIT ?"""  # noqa: S608
_FRESH: Final = f"""SELECT count(*) FROM (SELECT t.synced_at, {_FATE} AS fate FROM tasks t WHERE {_SPAN}) AS known
    WHERE fate IN ({_NO_FATE}) AND synced_at > ?"""  # noqa: S608
_DOUBLES: Final = f"""FROM tasks t WHERE {_SPAN} AND t.status = 'completed'
    AND (t.error IS NULL OR t.error NOT IN ({_DROPPED})) AND {_LETTERS} AND {_OPEN})"""
_OVERDUE: Final = f"""SELECT count(*) FROM tasks t WHERE {_SPAN} AND t.status IN ('pending', 'running', 'failed')
    AND t.synced_at < ? AND (t.due_at IS NULL OR t.due_at < ?)"""  # noqa: S608


def _counted(rows: list[Any]) -> dict[str, int]:
    return {str(fate): int(number) for fate, number in sorted(rows)}


def _reasons(unknown: dict[str, set[str]]) -> Iterator[tuple[str, str]]:
    """Yield each message once, with the first reason that names it."""
    seen: set[str] = set()
    for why, ids in unknown.items():
        yield from ((task_id, why) for task_id in sorted(ids - seen))
        seen |= ids


def living_payloads(database: Database, *, page: int = 5000) -> Iterator[str]:
    """Yield the messages that are in flight, as JSON, a page at a time.

    A row that a producer has written itself (:mod:`growbin_jobs.engine.central.first_messages`, number 0) is left out:
    it says that the message was sent, and nobody has had it from the broker since.

    Raises:
      Deferred: The database is away.
    """
    sql, after = SqlWords(database.dialect), ""
    query = """SELECT task_id, payload FROM tasks WHERE status IN ('pending', 'running', 'failed') AND task_id > ?
        AND NOT (status = 'pending' AND seq = 0) ORDER BY task_id LIMIT ?"""
    while True:
        rows = database.run(lambda connection, last=after: sql.rows(connection, query, last, page))  # type: ignore[misc]
        yield from (str(row[1]) for row in rows)
        if len(rows) < page:
            return
        after = rows[-1][0]
