"""From when on a source of facts is complete: what is older may have been deleted."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import peewee

from growbin_jobs.engine.central.fields import UtcField


class RetentionLimit(peewee.Model):
    """Table ``retention_limits``."""

    source = peewee.TextField(primary_key=True)
    complete_since = UtcField()

    class Meta:
        table_name = "retention_limits"


def advance(connection: Any, source: str, complete_since: datetime) -> None:
    """Note, in the transaction that deletes rows, that a source is complete from a time on only. It never goes back."""
    row, new = RetentionLimit, peewee.EXCLUDED
    later = row.complete_since < new.complete_since
    insert = row.insert(source=source, complete_since=complete_since)
    insert.on_conflict(
        conflict_target=[row.source], update={row.complete_since: new.complete_since}, where=later
    ).execute(connection)


def complete_since(connection: Any, sources: Iterable[str]) -> datetime | None:
    """Return from when on all of these sources are complete; None: always."""
    row = RetentionLimit
    query = row.select(row.complete_since).where(row.source.in_(list(sources)))
    return max((each["complete_since"] for each in query.dicts().execute(connection)), default=None)


def gone(connection: Any, sources: Iterable[str], since: datetime) -> list[str]:
    """Return which of these sources are not complete from a time on, in alphabetical order."""
    row = RetentionLimit
    query = row.select(row.source).where(row.source.in_(list(sources)) & (row.complete_since > since))
    return sorted(each["source"] for each in query.dicts().execute(connection))
