"""Which analyses of a span have come to their end, and which have not."""

from __future__ import annotations

from collections.abc import Iterator
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


def unfinished(database: Database, since: datetime, until: datetime) -> Iterator[tuple[str, datetime]]:
    """Yield the analyses of a span that are not at their end, or failed without a reason; each with its last change.

    Raises:
      Deferred: The database is away.
    """
    row, after = WasteAnalysis, ""
    is_open = row.status.not_in(_FINAL) | ((row.status == AnalysisStatus.FAILED.value) & row.error_code.is_null())
    columns = row.select(row.id, row.updated_at).order_by(row.id).limit(_PAGE)
    while True:
        where = _within(since, until) & is_open
        page = database.rows(columns.where(where & (row.id > after) if after else where))
        yield from ((each["id"], each["updated_at"]) for each in page)
        if len(page) < _PAGE:
            return
        after = page[-1]["id"]


def _within(since: datetime, until: datetime) -> peewee.Expression:
    where: peewee.Expression = (WasteAnalysis.created_at >= since) & (WasteAnalysis.created_at < until)
    return where
