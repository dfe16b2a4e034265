"""Late facts that can never be counted, since older facts of the same time are deleted: what a person accepts.

Until then their marks and stale rows stay, every daily run reports them, and retention keeps the facts.
"""

import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.platform.tables import limits
from growbin_jobs.platform.tables.dirty import SLOT, Clock, Mark, locked_marks, unmark, utc_now
from growbin_jobs.platform.tables.facts import COUNTED_BY
from growbin_jobs.platform.tables.slots import NEEDS
from growbin_jobs.platform.tables.statistics import SOURCES, Statistic

_FACTS: Final = {model._meta.table_name: (model, column) for model, column in COUNTED_BY.items()}


class StatisticsLoss(peewee.Model):
    """Table ``statistics_losses``: what was accepted as not counted, by whom."""

    id = peewee.TextField(primary_key=True)
    source = peewee.TextField()
    since = UtcField()
    until = UtcField()
    facts = peewee.BigIntegerField(null=True)
    accepted_at = UtcField()
    accepted_by = WordsField()

    class Meta:
        table_name = "statistics_losses"


@dataclass(frozen=True, slots=True)
class Loss:
    """What is not counted.

    Attributes:
      source: Table of the late facts; or the kind of a row (``daily``, ``weekly``, ``monthly``) that stays as it is.
      since, until: Of the slot or of the row; the end does not belong to it.
      facts: Late facts of the slot that are there; None for a row.
    """

    source: str
    since: datetime
    until: datetime
    facts: int | None = None


class Losses:
    """Finds what can never be counted, and accepts it.

    Parameters:
      database: Where the tables are; every method raises Deferred when it is away.
      clock: Returns the time, aware.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def refused(self, since: datetime, until: datetime) -> list[Loss]:
        """Return what is refused between two times, in order."""
        return self._database.transaction(lambda connection: self._find(connection, since, until)[0])

    def accept(self, since: datetime, until: datetime, *, by: str) -> list[Loss]:
        """Take the marks off what is refused between two times, and keep a record. What can be counted stays marked.

        Parameters:
          by: Who accepts it.
        """

        def work(connection: Any) -> list[Loss]:
            losses, marks, rows = self._find(connection, since, until)
            unmark(connection, marks)
            for row in rows:
                its = (Statistic.kind == row["kind"]) & (Statistic.period == row["period"])
                Statistic.update(stale=0).where(its & (Statistic.zone == row["zone"])).execute(connection)
            accepted = {"accepted_at": self._clock(), "accepted_by": by}
            for loss in losses:
                StatisticsLoss.insert({"id": uuid.uuid4().hex, **asdict(loss), **accepted}).execute(connection)
            return losses

        return self._database.transaction(work)

    def accepted(self, since: datetime, until: datetime) -> list[dict[str, Any]]:
        """Return the records of what was accepted between two times, in order of time."""
        row = StatisticsLoss
        within = (row.since < until) & (row.until > since)
        return self._database.rows(row.select().where(within).order_by(row.since, row.source, row.id))

    def _find(
        self, connection: Any, since: datetime, until: datetime
    ) -> tuple[list[Loss], dict[Mark, int], list[dict[str, Any]]]:
        marks = locked_marks(connection, self._database.dialect, since, until)
        refused = {mark: marks[mark] for mark in _refused(connection, marks)}
        row = Statistic
        stale = row.select().where((row.stale == 1) & (row.since < until) & (row.until > since))
        rows = [
            each
            for each in stale.order_by(row.since, row.kind, row.zone).dicts().execute(connection)
            if limits.gone(connection, SOURCES, each["since"])
        ]
        losses = [
            Loss(mark.source, mark.slot_at, mark.slot_at + SLOT, _facts(connection, mark)) for mark in sorted(refused)
        ]
        return losses + [Loss(each["kind"], each["since"], each["until"]) for each in rows], refused, rows


def _refused(connection: Any, marks: Iterable[Mark]) -> list[Mark]:
    complete = {source: limits.complete_since(connection, needs) for source, needs in NEEDS.items()}
    return [mark for mark in marks if (limit := complete[mark.source]) is not None and mark.slot_at < limit]


def _facts(connection: Any, mark: Mark) -> int:
    model, name = _FACTS[mark.source]
    column = getattr(model, name)
    within = (column >= mark.slot_at) & (column < mark.slot_at + SLOT)
    return int(model.select().where(within).count(connection))
