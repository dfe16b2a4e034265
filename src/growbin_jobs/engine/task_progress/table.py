"""What running tasks say of their progress, in the central database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.task_progress.files import Progress


class TaskProgressRow(peewee.Model):
    """Table ``task_progress``. ``migrations/`` creates it; a test holds the two together."""

    task_id = WordsField(primary_key=True)
    node = peewee.TextField()
    fraction = peewee.DoubleField()
    words = WordsField()
    at = UtcField(index=True)

    class Meta:
        table_name = "task_progress"


class TaskProgress:
    """The only writer of ``task_progress``.

    Parameters:
      database: Where the table is.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def take(self, node: str, latest: Mapping[str, Progress]) -> None:
        """Take over what tasks of a node say; what was said later stays."""
        row = TaskProgressRow
        rows = [
            {"task_id": task_id, "node": node, "fraction": each.fraction, "words": each.text, "at": _moment(each.at)}
            for task_id, each in latest.items()
        ]
        excluded = peewee.EXCLUDED
        update = {field: getattr(excluded, field.name) for field in (row.node, row.fraction, row.words, row.at)}

        def write(connection: peewee.Database) -> None:
            for start in range(0, len(rows), 100):
                query = row.insert_many(rows[start : start + 100]).on_conflict(
                    conflict_target=[row.task_id], update=update, where=row.at < excluded.at
                )
                query.execute(connection)

        if rows:
            self.database.transaction(write)

    def get(self, task_id: str) -> Progress | None:
        """Return the latest word of a task; None: it has said nothing, or long ago."""
        found = self.database.rows(TaskProgressRow.select().where(TaskProgressRow.task_id == task_id))
        return Progress(found[0]["fraction"], found[0]["words"], found[0]["at"].timestamp()) if found else None

    def of_many(self, task_ids: list[str]) -> dict[str, Progress]:
        """Return the latest words of those of these tasks that have said something."""
        query = TaskProgressRow.select().where(TaskProgressRow.task_id.in_(task_ids))
        return {
            row["task_id"]: Progress(row["fraction"], row["words"], row["at"].timestamp())
            for row in self.database.rows(query)
        }

    def forget(self, *, before: float) -> int:
        """Delete what was said before a time (seconds since 1970, UTC). Returns how many rows."""
        old = TaskProgressRow.at < _moment(before)
        return int(self.database.run(lambda connection: TaskProgressRow.delete().where(old).execute(connection)))


#: For how long a task's latest word is kept.
KEEP = timedelta(days=7)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
