"""Whether every message that the central database knows of has one fate: what was accepted, and what became of it.

What was accepted is counted from everything that names a message: tasks, dead letters, attempts, and the parents of
tasks. A message that only one of them knows is a hole; its fate is counted from ``tasks`` and ``dead_letters`` alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.engine.delivery.records import ABORTED, DROPPED, REVOKED

_LETTERS: Final = "EXISTS (SELECT 1 FROM dead_letters l WHERE l.task_id = t.task_id"
_OPEN: Final = "l.retried_at IS NULL AND l.discarded_at IS NULL AND l.taken_by IS NULL"

#: The fate of a task that is not dead, and of one that is; those of :data:`FATES_OF_HOLES` are none.
_LIVING: Final = f"""CASE
    WHEN t.status = 'completed' AND t.error = '{REVOKED}' THEN 'revoked'
    WHEN t.status = 'completed' AND t.error = '{ABORTED}' THEN 'aborted'
    WHEN t.status = 'completed' THEN 'completed'
    WHEN t.status IN ('pending', 'running', 'failed') THEN t.status
    ELSE 'of no known state' END"""
_DEAD: Final = f"""CASE
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

#: Messages that something else names and that are no task; each takes the span.
_UNKNOWN: Final = {
    "a dead letter of no task": """SELECT l.task_id FROM dead_letters l WHERE l.died_at >= ? AND l.died_at < ?
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = l.task_id)""",
    "a failed attempt of no task": """SELECT a.task_id FROM task_attempts a WHERE a.ended_at >= ? AND a.ended_at < ?
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = a.task_id)""",
}
_PARENT: Final = "it has sent another one, and is no task"

#: A letter is written after its message was made. By so much the clock of the node that wrote it may be behind.
_SKEW: Final = timedelta(days=1)
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
        times = (*span, moment(since - _SKEW), *span, moment(settled), moment(heard), moment(heard))
        seen = _Seen(sql.rows(connection, _TASKS, *times))
        unknown = {why: {row[0] for row in sql.rows(connection, one, *span)} for why, one in _UNKNOWN.items()}
        unknown[_PARENT] = seen.parents
        unseen = set().union(*unknown.values())
        in_holes = sum(seen.by_fate.get(fate, 0) for fate in FATES_OF_HOLES)
        named = sql.rows(connection, _HOLES, *span, moment(settled), limit) if in_holes else []
        double = (moment(since - _SKEW), *span, limit)
        doubles = [str(row[0]) for row in sql.rows(connection, _DOUBLES, *double)] if seen.doubles else []
        return Fates(
            accepted=seen.tasks + len(unseen),
            by_fate=seen.by_fate,
            holes=[*((str(task), str(fate)) for task, fate in named), *_reasons(unknown)][:limit],
            doubles=doubles,
            holes_in_all=in_holes + len(unseen),
            doubles_in_all=seen.doubles,
            fresh=seen.fresh,
            overdue=seen.overdue,
        )

    return database.transaction(work)


class _Seen:
    """What one look at the tasks of a span told; the rows are those of :data:`_TASKS`."""

    def __init__(self, rows: Iterable[Any]) -> None:
        counts: Counter[str] = Counter()
        self.parents: set[str] = set()
        self.tasks = self.fresh = self.overdue = self.doubles = 0
        for fate, is_fresh, is_overdue, number, parent in rows:
            if fate is None and parent is None:
                self.doubles = int(number)
                continue
            if fate is None:
                self.parents.add(str(parent))
                continue
            # A fate of a hole counts as in flight while its row is new: the journal's other rows are copied behind it.
            fresh = bool(is_fresh) and fate in FATES_OF_HOLES
            counts["running" if fresh else str(fate)] += int(number)
            self.tasks += int(number)
            self.fresh += int(number) if fresh else 0
            self.overdue += int(number) if is_overdue else 0
        self.by_fate = dict(sorted(counts.items()))


_NO_FATE: Final = ", ".join(f"'{fate}'" for fate in FATES_OF_HOLES)
_DROPPED: Final = ", ".join(f"'{word}'" for word in DROPPED)

#: Completed, and neither revoked nor aborted: not to have an open letter too.
_ENDED_WELL: Final = f"t.status = 'completed' AND (t.error IS NULL OR t.error NOT IN ({_DROPPED}))"

#: All tasks of a span by their fate, the parents that are no task, and how many are doubles: what was looked at once is
#: looked up in memory, for nearly all parents are in the span too. The few that are dead have a part of their own,
#: since only they have letters: a plan for all would read every letter that there is.
_TASKS: Final = f"""WITH span AS MATERIALIZED
    (SELECT t.task_id, t.parent_id, t.status, t.error, t.synced_at, t.due_at FROM tasks t WHERE {_SPAN}),
    letters AS MATERIALIZED (SELECT l.task_id FROM dead_letters l WHERE {_OPEN} AND l.died_at >= ?),
    fated AS (SELECT t.status, t.synced_at, t.due_at, {_LIVING} AS fate FROM span t WHERE t.status <> 'dead'
        UNION ALL
        SELECT t.status, t.synced_at, t.due_at, {_DEAD} FROM tasks t WHERE {_SPAN} AND t.status = 'dead')
    SELECT fate, synced_at > ?,
        status IN ('pending', 'running', 'failed') AND synced_at < ? AND (due_at IS NULL OR due_at < ?), count(*), NULL
    FROM fated GROUP BY 1, 2, 3
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, c.parent_id FROM span c LEFT JOIN span p ON p.task_id = c.parent_id
    WHERE c.parent_id IS NOT NULL AND p.task_id IS NULL
        AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.task_id = c.parent_id)
    UNION ALL
    SELECT NULL, NULL, NULL, count(DISTINCT t.task_id), NULL FROM span t JOIN letters l ON l.task_id = t.task_id
    WHERE {_ENDED_WELL}"""  # noqa: S608
_HOLES: Final = f"""SELECT task_id, fate FROM (SELECT t.task_id, t.synced_at,
    CASE WHEN t.status <> 'dead' THEN {_LIVING} ELSE {_DEAD} END AS fate FROM tasks t WHERE {_SPAN}) AS known
    WHERE fate IN ({_NO_FATE}) AND synced_at <= ? ORDER BY task_id LIMIT ?"""  # noqa: S608
_DOUBLES: Final = f"""SELECT DISTINCT t.task_id FROM dead_letters l JOIN tasks t ON t.task_id = l.task_id
    WHERE {_OPEN} AND l.died_at >= ? AND {_ENDED_WELL} AND {_SPAN} ORDER BY t.task_id LIMIT ?"""  # noqa: S608


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
