"""What the books say of the money of batches: reserved for their requests, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.budgets import TOTAL

#: As in :mod:`growbin_jobs.limits.budget_report`: what cost more than was reserved counts as reserved afterwards.
_SQL: Final = """
SELECT q.batch_id, sum(CASE WHEN e.settled > e.amount THEN e.settled ELSE e.amount END), sum(e.settled),
    sum(CASE WHEN e.state = 'unknown' THEN e.amount ELSE 0 END),
    sum(CASE WHEN e.state = 'open' THEN e.amount ELSE 0 END)
FROM model_batch_question q JOIN budget_entry e ON e.id = q.id AND e.name = ?
WHERE q.batch_id IN ({marks}) GROUP BY q.batch_id
"""


@dataclass(frozen=True, slots=True)
class BatchTotals:
    """The money of a batch, in micro-dollars.

    Attributes:
      reserved: For its requests, in all: the most that they can cost.
      settled: What those cost that were answered.
      unknown: Of requests of which nobody can say what they cost: it stays spent.
      open: Still reserved.
    """

    reserved: int = 0
    settled: int = 0
    unknown: int = 0
    open: int = 0


def batch_totals(sql: SqlWords, connection: Any, batch_ids: Sequence[str]) -> dict[str, BatchTotals]:
    """Return the money of batches by our id of them; those for which nothing was reserved are not there.

    It reads the requests of these batches, so it is for those under way and for the end of one.
    """
    if not batch_ids:
        return {}
    statement = _SQL.format(marks=", ".join("?" for _ in batch_ids))
    rows = sql.rows(connection, statement, TOTAL, *batch_ids)
    return {batch: BatchTotals(*map(int, sums)) for batch, *sums in rows}
