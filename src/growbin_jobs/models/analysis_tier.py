"""In which price tier analyses are asked, where somebody asked for one."""

from collections.abc import Sequence
from typing import Any

from growbin_jobs.engine.central.sql_words import SqlWords


def note_tier(sql: SqlWords, connection: Any, analysis_ids: Sequence[str], tier: str, reason: str | None) -> None:
    """Note the tier of analyses, inside of a transaction; of those that were erased nothing is noted.

    Parameters:
      analysis_ids: Which.
      tier: ``batch`` or ``standard``.
      reason: Why it is the standard tier after all.
    """
    if not analysis_ids:
        return
    marks = ", ".join("?" for _ in analysis_ids)
    statement = f"UPDATE waste_analysis SET tier = ?, tier_reason = ? WHERE erased_at IS NULL AND id IN ({marks})"  # noqa: S608
    sql.run(connection, statement, tier, reason, *analysis_ids)
