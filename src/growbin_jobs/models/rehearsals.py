"""The table ``model_rehearsal``: how other models did with past pictures, and whether they may be switched to."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import JsonField, UtcField, WordsField

Verdict = Literal["go", "no-go"]


class ModelRehearsal(peewee.Model):
    """Table ``model_rehearsal``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    at = UtcField()
    model = WordsField()
    verdict = peewee.TextField()
    pictures = peewee.BigIntegerField()
    agreement = peewee.DoubleField()
    report = JsonField()

    class Meta:
        table_name = "model_rehearsal"


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """The last rehearsal of a model.

    Attributes:
      at: When, in UTC.
      agreement: Share of the pictures for which it named the same category.
    """

    model: str
    at: datetime
    verdict: Verdict
    pictures: int
    agreement: float


class Rehearsals:
    """Keeps rehearsals.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, model: str, *, verdict: Verdict, pictures: int, agreement: float, report: Mapping[str, Any]) -> None:
        """Keep one.

        Parameters:
          model: That was rehearsed.
          report: All that is known of it, ready for JSON.
        """
        row = {
            "id": uuid.uuid4().hex,
            "at": datetime.now(UTC),
            "model": model,
            "verdict": verdict,
            "pictures": pictures,
            "agreement": agreement,
            "report": dict(report),
        }
        self._database.run(lambda connection: ModelRehearsal.insert(row).execute(connection))

    def last(self, model: str) -> Rehearsed | None:
        """Return the last rehearsal of a model; None where there was none."""
        row = ModelRehearsal
        query = row.select(row.model, row.at, row.verdict, row.pictures, row.agreement).where(row.model == model)
        rows = self._database.rows(query.order_by(row.at.desc()).limit(1))
        return Rehearsed(**rows[0]) if rows else None
