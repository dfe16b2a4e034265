"""Who has paused and resumed which queue or actor. The table ``control`` has only what holds now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField

#: The action of somebody who takes a pause back.
RESUME: Final = "resume"


class ControlHistoryRow(peewee.Model):
    """Table ``control_history``. ``migrations/`` creates it; a test holds the two together."""

    version = peewee.BigIntegerField(primary_key=True)
    target = peewee.TextField()
    name = WordsField()
    action = peewee.TextField()
    by = WordsField()
    reason = WordsField()
    at = UtcField()
    until = UtcField(null=True)

    class Meta:
        table_name = "control_history"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEvent:
    """Somebody has paused or resumed something.

    Attributes:
      target, name: What: a queue or an actor.
      action: ``pause`` or ``resume``. A pause that ended at ``until`` by itself has no row of its end.
      by: Who; empty: not known.
      reason: Why, in that person's words.
      at: When.
      until: When the pause ends by itself; None: when it is resumed.
    """

    target: str
    name: str
    action: str
    by: str
    reason: str
    at: datetime
    until: datetime | None


def note(connection: peewee.Database, values: dict[str, Any]) -> None:
    """Add a row, in the transaction of what it tells of."""
    ControlHistoryRow.insert(values).execute(connection)


def history(database: Database, *, name: str | None = None, limit: int = 50) -> list[ControlEvent]:
    """Return what was paused and resumed, the newest first.

    Parameters:
      database: The central one.
      name: Only of the queue or actor of this name.
      limit: Most rows.

    Raises:
      Deferred: The database is away.
    """
    row = ControlHistoryRow
    query = row.select().order_by(row.version.desc()).limit(limit)
    found = database.rows(query if name is None else query.where(row.name == name))
    return [ControlEvent(**{key: value for key, value in each.items() if key != "version"}) for each in found]


def forget(connection: peewee.Database, before: datetime) -> None:
    """Delete rows of before a time."""
    ControlHistoryRow.delete().where(ControlHistoryRow.at < before).execute(connection)
