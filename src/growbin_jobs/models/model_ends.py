"""The table ``model_end``: until when the models in use are offered, as the last daily look found it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords


@dataclass(frozen=True, slots=True)
class ModelEnd:
    """Until when a model is offered.

    Attributes:
      model: As the settings name it.
      ends: The day on which it leaves the API; None: nobody says.
      offered: Whether its server has it now.
    """

    model: str
    ends: date | None
    offered: bool = True


class ModelEnds:
    """Keeps them.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def replace(self, found: Sequence[ModelEnd]) -> None:
        """Keep what was found, and nothing of models that are no longer in use."""

        def work(connection: Any) -> None:
            self._sql.run(connection, "DELETE FROM model_end")
            for one in sorted(found, key=lambda each: each.model):
                sql = "INSERT INTO model_end (model, ends, offered, checked_at) VALUES (?, ?, ?, $now)"
                ends = one.ends.isoformat() if one.ends else None
                self._sql.run(connection, sql, storable(one.model), ends, int(one.offered))

        self._database.transaction(work)

    def all(self) -> list[ModelEnd]:
        """Return all, by model."""
        sql = "SELECT model, ends, offered FROM model_end"
        rows = self._database.run(lambda connection: self._sql.rows(connection, sql))
        found = (
            ModelEnd(model, date.fromisoformat(ends) if ends else None, bool(offered)) for model, ends, offered in rows
        )
        return sorted(found, key=lambda each: each.model)
