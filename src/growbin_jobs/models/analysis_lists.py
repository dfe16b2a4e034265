"""Lists of analyses: pages that stay in place, and no answer, no rule and no photo in them."""

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import MAX_ID_LENGTH, UtcField
from growbin_jobs.engine.central.search.cursors import Place, decoded, not_ours
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.states import AnalysisStatus

_SORT: Final = "-created"

MOST_LINES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisLine:
    """One analysis of a list. Times are aware, in UTC.

    Attributes:
      user_id: None also where the reader may not see it.
    """

    id: str
    user_id: str | None
    status: str
    category: str | None
    item: str | None
    confidence: float | None
    vision_model: str | None
    response_source: str | None
    language: str | None
    failed_stage: str | None
    error_code: str | None
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None


@dataclass(frozen=True, slots=True)
class AnalysisPage:
    """A page; ``next`` is the cursor of the one behind it, None: there is none."""

    analyses: list[AnalysisLine]
    next: str | None


class AnalysisLists:
    """Reads lists of ``waste_analysis``.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        *,
        status: AnalysisStatus | None = None,
        user_id: str | None = None,
        people: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> AnalysisPage:
        """Return analyses, the newest first.

        Parameters:
          status, user_id: Only these.
          people: Say whose they are.
          cursor: Of an earlier page.
          limit: At most 1000.

        Raises:
          SearchError: The cursor is none.
        """
        row, limit = WasteAnalysis, max(1, min(limit, MOST_LINES))
        query = row.select(*(getattr(row, field.name) for field in fields(AnalysisLine)))
        if status is not None:
            query = query.where(row.status == status.value)
        if user_id is not None:
            query = query.where(row.user_id == user_id)
        if cursor is not None:
            place = decoded(cursor, sort=_SORT)
            if not is_id(place.task_id):
                raise not_ours()
            at = datetime.fromisoformat(place.created_at)
            query = query.where((row.created_at <= at) & ((row.created_at < at) | (row.id < place.task_id)))
        rows = self._database.rows(query.order_by(row.created_at.desc(), row.id.desc()).limit(limit + 1))
        found = [_line(each, people=people) for each in rows[:limit]]
        return AnalysisPage(found, _cursor(found[-1]) if len(rows) > limit else None)


def is_id(text: str) -> bool:
    """Return whether an analysis can have this id."""
    return 0 < len(text) <= MAX_ID_LENGTH and text.isprintable()


def _line(row: dict[str, Any], *, people: bool) -> AnalysisLine:
    return AnalysisLine(**{**row, "user_id": row["user_id"] if people else None})


def _cursor(line: AnalysisLine) -> str:
    return Place(str(UtcField().db_value(line.created_at)), line.id, _SORT).encoded()
