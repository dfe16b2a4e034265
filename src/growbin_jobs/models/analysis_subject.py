"""What ``waste_analysis`` holds about one user: reading it, and taking all out of it that is personal.

The row itself stays, without the user: the weekly report counts it, and a message that comes late finds that it must
not write.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.models.analysis import WasteAnalysis
from growbin_jobs.models.erasure_refs import ref_hash
from growbin_jobs.models.erasure_rows import add_refs, note
from growbin_jobs.reasons import Language, reason
from growbin_jobs.states import AnalysisStatus

_PERSONAL: Final = ("user_id", "s3_path", "thumbnail_path", "rules", "response", "error_params", "error")


class SubjectAnalyses:
    """The analyses of a user.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ids(self, user_id: str) -> list[str]:
        """Return the ids of all of them, in order."""
        row = WasteAnalysis
        return [each["id"] for each in self._database.rows(row.select(row.id).where(_of(user_id)).order_by(row.id))]

    def rows(self, user_id: str) -> Iterator[dict[str, Any]]:
        """Yield all of them, page by page."""
        row, whose = WasteAnalysis, _of(user_id)
        while page := self._database.rows(row.select().where(whose).order_by(row.id).limit(500)):
            yield from page
            whose = _of(user_id) & (row.id > page[-1]["id"])

    def erase(self, user_id: str, erasure_id: str, *, at: datetime, language: Language, limit: int = 500) -> list[str]:
        """Take all that is personal out of some of them, and note their hashes; return their ids, none at the end.

        One that had not come to an end has failed from now on.
        """
        row = WasteAnalysis

        def work(connection: Any) -> list[str]:
            query = row.select(row.id).where(_of(user_id)).order_by(row.id).limit(limit)
            if self._database.dialect == "postgresql":
                query = query.for_update()
            ids = [each["id"] for each in query.dicts().execute(connection)]
            if not ids:
                return []
            ended = row.status.in_([AnalysisStatus.COMPLETED.value, AnalysisStatus.FAILED.value])
            blank: dict[Any, Any] = {getattr(row, name): None for name in _PERSONAL}
            stopped = {
                row.status: AnalysisStatus.FAILED.value, row.failed_stage: "erasure", row.error_code: "analysis_erased",
            }  # fmt: skip
            update = {column: peewee.Case(None, [(ended, column)], value) for column, value in stopped.items()}
            sentence = reason("analysis_erased", language, {})
            blank[row.error] = peewee.Case(None, [(row.status == AnalysisStatus.COMPLETED.value, None)], sentence)
            row.update({**blank, **update, row.erased_at: at}).where(row.id.in_(ids)).execute(connection)
            add_refs(connection, erasure_id, [ref_hash("analysis", each) for each in ids])
            note(connection, erasure_id, "waste_analysis", len(ids))
            return ids

        return self._database.transaction(work)

    def block(self, user_id: str, analysis_ids: list[str], erasure_id: str, *, at: datetime) -> None:
        """Make a row without a user for each analysis that has none: a message that comes late must not make one.

        Parameters:
          analysis_ids: Those that the user's messages name. They may name anybody's: another user's are left alone.
        """
        blank = {
            "user_id": None, "status": AnalysisStatus.FAILED.value, "failed_stage": "erasure",
            "error_code": "analysis_erased", "created_at": at, "updated_at": at, "erased_at": at,
        }  # fmt: skip
        rows, row = [{"id": each, **blank} for each in analysis_ids], WasteAnalysis

        def work(connection: Any) -> None:
            for start in range(0, len(rows), 500):
                row.insert_many(rows[start : start + 500]).on_conflict_ignore().execute(connection)
                some = analysis_ids[start : start + 500]
                query = row.select(row.id).where(row.id.in_(some), row.user_id.is_null() | _of(user_id))
                theirs = [each["id"] for each in query.dicts().execute(connection)]
                add_refs(connection, erasure_id, [ref_hash("analysis", each) for each in theirs])

        self._database.transaction(work)


def _of(user_id: str) -> Any:
    return WasteAnalysis.user_id == user_id
