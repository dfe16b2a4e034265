"""The one statement by which stages write into ``waste_analysis``: made once for each set of columns, planned once.

Composing it anew from its expressions took peewee longer than sending it, and planning it took PostgreSQL longer than
running it; each analysis needs it four times.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.prepared import Prepared
from growbin_jobs.models.analysis_row import WasteAnalysis
from growbin_jobs.states import AnalysisStatus

#: On which PostgreSQL tells that an analysis has come to an end.
CHANNEL: Final = "growbin_analysis_ended"

#: Conditions of an update. In them ``old`` is the row as it is, ``excluded`` what is written.
NOT_COMPLETED: Final = f"old.status <> '{AnalysisStatus.COMPLETED.value}'"
IS_OWNER: Final = "(old.user_id IS NULL OR old.user_id = excluded.user_id)"
IS_OF: Final = "(old.user_id IS NULL OR old.user_id = $whose)"
IS_NOBODYS: Final = "old.user_id IS NULL"
IS_NEWS: Final = f"(old.status <> '{AnalysisStatus.FAILED.value}' OR old.failed_stage <> excluded.failed_stage" + (
    " OR old.error_code <> excluded.error_code OR old.error <> excluded.error)"
)

#: Types on PostgreSQL of the columns that are no text.
_TYPES: Final = {
    "confidence": "float8", "rules": "jsonb", "error_params": "jsonb",
    "created_at": "timestamptz", "updated_at": "timestamptz", "completed_at": "timestamptz",
}  # fmt: skip


def upsert(
    database: Database,
    reached: AnalysisStatus,
    values: Mapping[str, Any],
    *,
    conditions: Collection[str] = (),
    whose: str | None = None,
) -> datetime | None:
    """Insert the row, or update it where all conditions hold; return when it was made, None where they do not.

    The status walks forward only. A completed analysis only has gaps filled. What was erased never comes back.

    Parameters:
      database: The central one.
      reached: The status that the stage has reached.
      values: By column, with ``id``, ``created_at`` and ``updated_at``.
      conditions: Such as :data:`NOT_COMPLETED`.
      whose: The value of :data:`IS_OF`.

    Raises:
      Deferred: The database is away.
    """
    row = {name: getattr(WasteAnalysis, name).db_value(value) for name, value in values.items()}
    row["status"] = reached.value
    if whose is not None:
        row["whose"] = whose
    columns = tuple(name for name in row if name != "whose")
    statement = _statement(database.dialect, reached, columns, tuple(conditions))

    def work(connection: Any) -> list[Any]:
        if isinstance(statement, Prepared):
            return statement.rows(connection, row)
        return list(connection.execute_sql(statement, row).fetchall())

    found = database.run(work)
    made: datetime | None = WasteAnalysis.created_at.python_value(found[0][0]) if found else None
    return made


@lru_cache(maxsize=64)
def _statement(
    dialect: Dialect, reached: AnalysisStatus, columns: tuple[str, ...], conditions: tuple[str, ...]
) -> str | Prepared:
    updates = [f"{name} = {_update(name, reached)}" for name in columns if name not in ("id", "created_at")]
    where = " AND ".join(["old.erased_at IS NULL", *conditions])
    returned = "created_at"
    if reached.is_final and dialect == "postgresql":
        returned += f", pg_notify('{CHANNEL}', '')"  # when it commits, to whoever waits for an end
    mark = "%({})s" if dialect == "postgresql" else ":{}"
    marks = ", ".join(mark.format(name) for name in columns)
    sql = (
        f"INSERT INTO waste_analysis AS old ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - our own words
        f" ON CONFLICT (id) DO UPDATE SET {', '.join(updates)} WHERE {where} RETURNING {returned}"
    ).replace("$whose", mark.format("whose"))
    if dialect == "postgresql":
        return Prepared(sql, **{name: _TYPES.get(name, "text") for name in (*columns, "whose")})
    return sql


def _update(name: str, reached: AnalysisStatus) -> str:
    if name == "status":
        lower = ", ".join(f"'{status.value}'" for status in AnalysisStatus if status.rank < reached.rank)
        return f"CASE WHEN old.status IN ({lower}) THEN excluded.status ELSE old.status END" if lower else "old.status"
    if name == "updated_at":
        return "excluded.updated_at"
    if name == "user_id":
        return "coalesce(old.user_id, excluded.user_id)"
    return f"CASE WHEN {NOT_COMPLETED} THEN excluded.{name} ELSE coalesce(old.{name}, excluded.{name}) END"
