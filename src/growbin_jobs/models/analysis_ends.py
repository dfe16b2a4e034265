"""Which analyses of a span have come to their end, and which have not."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.states import AnalysisStatus

_PAGE: Final = 10_000
_FINAL: Final = [status.value for status in AnalysisStatus if status.is_final]


def ends(database: Database, since: datetime, until: datetime) -> dict[str, int]:
    """Return how many analyses that were accepted in a span are in each status.

    Raises:
      Deferred: The database is away.
    """
    row = WasteAnalysis
    query = row.select(row.status, peewee.fn.COUNT(row.id).alias("n")).where(_within(since, until)).group_by(row.status)
    found = {each["status"]: int(each["n"]) for each in database.rows(query)}
    return {status.value: found.get(status.value, 0) for status in AnalysisStatus}


def unfinished(database: Database, since: datetime, until: datetime) -> dict[str, tuple[str, datetime]]:
    """Return the analyses of a span that are not at their end, or failed without a reason: status and last change.

    Raises:
      Deferred: The database is away.
    """
    row, found = WasteAnalysis, dict[str, tuple[str, datetime]]()
    is_open = row.status.not_in(_FINAL) | ((row.status == AnalysisStatus.FAILED.value) & row.error_code.is_null())
    columns = row.select(row.id, row.status, row.updated_at).order_by(row.id).limit(_PAGE)
    where, page = _within(since, until) & is_open, None
    while page is None or len(page) == _PAGE:
        page = database.rows(columns.where(where & (row.id > page[-1]["id"]) if page else where))
        found |= {each["id"]: (each["status"], each["updated_at"]) for each in page}
    return found


def _within(since: datetime, until: datetime) -> peewee.Expression:
    where: peewee.Expression = (WasteAnalysis.created_at >= since) & (WasteAnalysis.created_at < until)
    return where
