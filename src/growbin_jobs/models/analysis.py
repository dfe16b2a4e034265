"""What stages write into ``waste_analysis`` and people read: one row for each analysis."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import Forbidden, Permanent
from growbin_jobs.messages import Advice, Rule, StoredPicture, VisionAnswer
from growbin_jobs.models.analysis_row import WasteAnalysis
from growbin_jobs.models.analysis_upsert import IS_NEWS, IS_NOBODYS, IS_OF, IS_OWNER, NOT_COMPLETED, upsert
from growbin_jobs.models.analysis_view import Analysis, Asker
from growbin_jobs.reasons import Language
from growbin_jobs.states import AnalysisStatus

__all__ = ["Analyses", "Analysis", "WasteAnalysis"]

#: In the words of the index ``waste_analysis_unfinished``: SQLite uses it for these words only, not for parameters.
_UNFINISHED: Final = "status NOT IN ('completed', 'failed')"

#: How many analyses one statement asks for.
_PAGE: Final = 500


class Analyses:
    """The only writer of ``waste_analysis``.

    Stages run twice, late, out of order and on several nodes at once; the row comes out the same. Each call is one
    statement that writes its own stage's columns and makes the row where it is missing. The status walks forward
    only (:mod:`growbin_jobs.states`). Until it is completed a later call of the same stage replaces an earlier one
    (a person ran it again); a completed analysis only has gaps filled, so that its advice always fits the rest.

    Parameters:
      database: Where the table is.
      clock: Returns the time, aware.
      ended: Told of each analysis that comes to an end: ``completed`` with the seconds since its row was made, or
        ``failed``.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(
        self,
        database: Database,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        ended: Callable[[str, float | None], None] = lambda _status, _seconds: None,
    ) -> None:
        self._ended = ended
        self.database = database
        self._words = SqlWords(database.dialect)
        self._clock = clock

    def accept(self, analysis_id: str, user_id: str, language: Language | None = None) -> None:
        """Note that an analysis was asked for. Of one that is known already only the language may change.

        Parameters:
          language: Of the advice; None: whatever the worker speaks.

        Raises:
          Forbidden: The analysis belongs to another user.
        """
        self._write_as_owner(analysis_id, user_id, AnalysisStatus.PENDING, {"language": language} if language else {})

    def uploaded(self, analysis_id: str, user_id: str, picture: StoredPicture) -> None:
        """Note where the two pictures are (stage 1).

        Raises:
          Forbidden: The analysis belongs to another user.
        """
        self._write_as_owner(analysis_id, user_id, AnalysisStatus.UPLOADED, picture.model_dump())

    def classified(self, analysis_id: str, answer: VisionAnswer, model: str, *, user_id: str | None = None) -> None:
        """Note what the picture shows (stage 2), and which model said so.

        Parameters:
          user_id: Whose picture it was; None where that is not known.

        Raises:
          Forbidden: The analysis belongs to another user.
        """
        columns = {**answer.model_dump(), "vision_model": model}
        if user_id is None:
            self._write(analysis_id, AnalysisStatus.CLASSIFIED, columns)
        else:
            self._write_as_owner(analysis_id, user_id, AnalysisStatus.CLASSIFIED, columns)

    def rule_found(self, analysis_id: str, rule: Rule) -> None:
        """Note the rule (stage 3)."""
        self._write(analysis_id, AnalysisStatus.RULE_FOUND, {"rules": rule.model_dump(mode="json")})

    def completed(self, analysis_id: str, advice: Advice) -> bool:
        """Store the advice (stage 4); the first one stays, an earlier failure is forgotten.

        Returns:
          True only for the call that completed the analysis.
        """
        columns = {
            "response": advice.text,
            "response_source": advice.source,
            "response_model": advice.model,
            "language": advice.language,
            "completed_at": self._clock(),
            "failed_stage": None,
            "error_code": None,
            "error_params": None,
            "error": None,
        }
        began = self._write(analysis_id, AnalysisStatus.COMPLETED, columns, conditions=[NOT_COMPLETED])
        if began is not None:
            self._ended("completed", (self._clock() - began).total_seconds())
        return began is not None

    def failed(
        self,
        analysis_id: str,
        *,
        stage: str,
        code: str,
        params: Mapping[str, str | int | float],
        sentence: str,
        user_id: str | None = None,
    ) -> bool:
        """Note that a stage failed for good. A later failure replaces an earlier one.

        Parameters:
          stage: The actor's wire name.
          code: A key of :data:`growbin_jobs.reasons.REASONS`.
          params: What the sentence was made with.
          sentence: For a person.
          user_id: Whose message failed; only an analysis of this user, or of nobody yet, is marked. None: any.

        Returns:
          True when this call noted it; False when it was noted before, the analysis is completed or another user's.
        """
        columns = {"failed_stage": stage, "error_code": code, "error_params": dict(params), "error": sentence}
        conditions, whose = [NOT_COMPLETED, IS_NEWS], None
        if user_id is not None:
            condition, whose = _is_of(user_id)
            conditions.append(condition)
        made_at = self._write(analysis_id, AnalysisStatus.FAILED, columns, conditions=conditions, whose=whose)
        if noted := made_at is not None:
            self._ended("failed", None)
        return noted

    def owners(self, analysis_ids: list[str]) -> dict[str, str | None]:
        """Return the user of each of these analyses that exists; None where its row does not say yet."""
        marks = ", ".join("?" for _ in analysis_ids)
        sql = f"SELECT id, user_id FROM waste_analysis WHERE id IN ({marks})"  # noqa: S608 - marks only
        return dict(self._rows(sql, *analysis_ids))

    def asker(self, analysis_id: str) -> Asker:
        """Return who asked for an analysis, and in which language; both None where its row is not there yet."""
        rows = self._rows("SELECT user_id, language FROM waste_analysis WHERE id = ?", analysis_id)
        return Asker(*rows[0]) if rows else Asker(None, None)

    def is_erased(self, analysis_id: str) -> bool:
        """Return whether the analysis was erased at its user's request."""
        row = WasteAnalysis
        query = row.select(row.id).where((row.id == analysis_id) & row.erased_at.is_null(False))
        return bool(self.database.rows(query))

    def get(self, analysis_id: str) -> Analysis | None:
        """Return one analysis, or None."""
        return self.find([analysis_id]).get(analysis_id)

    def find(self, analysis_ids: Collection[str]) -> dict[str, Analysis]:
        """Return those of some analyses that exist, by their ids."""
        ids, found = list(analysis_ids), dict[str, Analysis]()
        for first in range(0, len(ids), _PAGE):
            some = WasteAnalysis.id.in_(ids[first : first + _PAGE])
            found |= {row["id"]: _view(row) for row in self.database.rows(WasteAnalysis.select().where(some))}
        return found

    def recent(self, limit: int, *, user_id: str | None = None, status: AnalysisStatus | None = None) -> list[Analysis]:
        """Return the newest analyses first, at most ``limit``, of one user or in one status where asked."""
        query = WasteAnalysis.select().order_by(WasteAnalysis.created_at.desc(), WasteAnalysis.id.desc()).limit(limit)
        if user_id is not None:
            query = query.where(WasteAnalysis.user_id == user_id)
        if status is not None:
            query = query.where(WasteAnalysis.status == status.value)
        return [_view(row) for row in self.database.rows(query)]

    def unfinished(self, user_id: str, *, most: int) -> int:
        """Return how many analyses of a user have not come to an end; counts no further than ``most``."""
        sql = f"SELECT 1 FROM waste_analysis WHERE user_id = ? AND {_UNFINISHED} LIMIT ?"  # noqa: S608 - our own words
        return len(self._rows(sql, user_id, most))

    def count_by_status(self) -> dict[AnalysisStatus, int]:
        """Return how many analyses are in each status, zeros included."""
        query = WasteAnalysis.select(WasteAnalysis.status, peewee.fn.COUNT(WasteAnalysis.id).alias("n"))
        found = {row["status"]: row["n"] for row in self.database.rows(query.group_by(WasteAnalysis.status))}
        return {status: found.get(status.value, 0) for status in AnalysisStatus}

    def _rows(self, sql: str, *values: Any) -> list[Any]:
        return self.database.run(lambda connection: self._words.rows(connection, sql, *values))

    def _write_as_owner(self, analysis_id: str, user_id: str, reached: AnalysisStatus, columns: dict[str, Any]) -> None:
        if self._write(analysis_id, reached, columns, user_id=user_id, conditions=[IS_OWNER]) is None:
            if self.is_erased(analysis_id):
                raise Permanent("analysis_erased")
            raise Forbidden("this analysis id belongs to another user")

    def _write(
        self,
        analysis_id: str,
        reached: AnalysisStatus,
        columns: Mapping[str, Any],
        *,
        user_id: str | None = None,
        conditions: Collection[str] = (),
        whose: str | None = None,
    ) -> datetime | None:
        """Insert the row, or update it where the conditions hold; return when it was made, None where they do not."""
        now = self._clock()
        values = {"id": analysis_id, "user_id": user_id, **columns, "created_at": now, "updated_at": now}
        return upsert(self.database, reached, values, conditions=conditions, whose=whose)


def _is_of(user_id: str) -> tuple[str, str | None]:
    """Return what matches an analysis of this user, or of nobody yet. What can be no user's id is nobody's."""
    try:
        return IS_OF, WasteAnalysis.user_id.db_value(user_id)
    except Permanent:
        return IS_NOBODYS, None


def _view(row: Mapping[str, Any]) -> Analysis:
    values = {field.name: row[field.name] for field in fields(Analysis)}
    return Analysis(**{**values, "status": AnalysisStatus(row["status"])})
