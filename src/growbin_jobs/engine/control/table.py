"""The table of instructions in the central database: the only writer of it, and what all nodes read."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.central.tasks import TaskRow
from growbin_jobs.engine.control import history
from growbin_jobs.engine.control.instructions import Action, Instruction, Instructions, Target
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.errors import Conflict, Permanent

#: PostgreSQL's channel on which each change is told.
CHANNEL = "growbin_control"

#: Messages that may be revoked or aborted at a time: each node reads all of them at each change.
MOST_MESSAGES = 10_000

#: Seconds after which a revoked message that has ended is forgotten: until then a second delivery of it may come.
FORGET_AFTER = 3600.0

#: Seconds that it is known who has paused and resumed something.
KEEP_HISTORY = 400 * 86_400.0

#: Characters of a name, of who, and of why.
MOST_NAME, MOST_BY, MOST_REASON = 500, 200, 500


class ControlRow(peewee.Model):
    """Table ``control``. ``migrations/`` creates it; a test holds the two together."""

    target = peewee.TextField()
    name = WordsField()
    action = peewee.TextField()
    by = WordsField()
    reason = WordsField()
    at = UtcField()
    until = UtcField(null=True)
    version = peewee.BigIntegerField()

    class Meta:
        table_name = "control"
        primary_key = peewee.CompositeKey("target", "name")


class ControlVersionRow(peewee.Model):
    """Table ``control_version``: one row."""

    id = peewee.BigIntegerField(primary_key=True)
    version = peewee.BigIntegerField()

    class Meta:
        table_name = "control_version"


class Control:
    """What people have told all nodes.

    Parameters:
      database: Where the table is.
      clock: Seconds since 1970, UTC.

    Every method raises Deferred when the database is away (:meth:`Database.run`); calling it again is always safe.
    """

    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self.database = database
        self._clock = clock

    def give(
        self, action: Action, target: Target, name: str, *, by: str, reason: str, until: float | None = None
    ) -> Instruction:
        """Tell all nodes something; it takes the place of what was said about the same thing.

        Parameters:
          action, target, name: What to do with what.
          by: Who says so.
          reason: Why.
          until: When it ends by itself, seconds since 1970, UTC; None: when it is withdrawn.

        Returns:
          The instruction as it is stored.

        Raises:
          Permanent: ``request_invalid``, if the name is none.
          Conflict: So many messages are revoked already.
        """
        if not name or len(name) > MOST_NAME:
            detail = f"the name of a {target} has 1 to {MOST_NAME} characters"
            raise Permanent("request_invalid", detail=detail)
        words = {"by": _one_line(by)[:MOST_BY], "reason": _one_line(reason)[:MOST_REASON]}
        now = self._clock()

        def write(connection: peewee.Database) -> Instruction:
            if target is Target.MESSAGE:
                _check_room(connection, name)
            version = self._next_version(connection)
            values = {
                "target": target.value, "name": name, "action": action.value, **words, "at": _moment(now),
                "until": None if until is None else _moment(until), "version": version,
            }  # fmt: skip
            row = ControlRow
            update = {getattr(row, field): value for field, value in values.items() if field not in ("target", "name")}
            query = row.insert(values).on_conflict(conflict_target=[row.target, row.name], update=update)
            query.execute(connection)
            if target is not Target.MESSAGE:
                history.note(connection, values)
            return Instruction(target=target, name=name, action=action, **words, at=now, until=until, version=version)

        return self.database.transaction(write)

    def withdraw(self, target: Target, name: str, *, by: str = "") -> Instruction | None:
        """Take back what was said about something.

        Parameters:
          target, name: About what.
          by: Who takes it back.

        Returns:
          What was said; None: nothing was.
        """
        one = (ControlRow.target == target.value) & (ControlRow.name == name)

        def write(connection: peewee.Database) -> Instruction | None:
            rows = list(ControlRow.select().where(one).dicts().execute(connection))
            if not rows:
                return None
            version = self._next_version(connection)
            ControlRow.delete().where(one).execute(connection)
            if target is not Target.MESSAGE:
                history.note(
                    connection,
                    {
                        "target": target.value, "name": name, "action": history.RESUME, "reason": "", "until": None,
                        "by": _one_line(by)[:MOST_BY], "at": _moment(self._clock()), "version": version,
                    },
                )  # fmt: skip
            return _view(rows[0])

        return self.database.transaction(write)

    def version(self) -> int:
        """Return the version of the table: another one after each change."""
        rows = self.database.rows(ControlVersionRow.select(ControlVersionRow.version))
        return int(rows[0]["version"]) if rows else 0

    def read(self) -> Instructions:
        """Return all that is to be obeyed now."""
        version = self.version()  # first: what is changed meanwhile has a later one, and is read again
        now = self._clock()
        found = (_view(row) for row in self.database.rows(ControlRow.select().order_by(ControlRow.version)))
        return Instructions(version, tuple(each for each in found if each.lasts(now)))

    def get(self, target: Target, name: str) -> Instruction | None:
        """Return what is said about something now; None: nothing is."""
        one = (ControlRow.target == target.value) & (ControlRow.name == name)
        found = [_view(row) for row in self.database.rows(ControlRow.select().where(one))]
        return next((each for each in found if each.lasts(self._clock())), None)

    def prune(self) -> int:
        """Delete what has ended by itself, and revoked messages that have ended a while ago.

        Returns:
          How many rows.
        """
        now = self._clock()
        over = ControlRow.until.is_null(False) & (ControlRow.until <= _moment(now))
        ended = TaskRow.select(TaskRow.task_id).where(
            (TaskRow.task_id == ControlRow.name)
            & (TaskRow.status == TaskState.COMPLETED.value)
            & (TaskRow.completed_at < _moment(now - FORGET_AFTER))
        )
        done = (ControlRow.target == Target.MESSAGE.value) & peewee.fn.EXISTS(ended)

        def write(connection: peewee.Database) -> int:
            history.forget(connection, _moment(now - KEEP_HISTORY))
            deleted = int(ControlRow.delete().where(over | done).execute(connection))
            if deleted:
                self._next_version(connection)
            return deleted

        return self.database.transaction(write)

    def _next_version(self, connection: peewee.Database) -> int:
        """Take the next version. Whoever else changes something waits for the end of this transaction."""
        row = ControlVersionRow
        query = row.insert(id=1, version=1).on_conflict(conflict_target=[row.id], update={row.version: row.version + 1})
        query.execute(connection)
        if self.database.dialect == "postgresql":  # told when the transaction commits, and not before
            connection.execute_sql("SELECT pg_notify(%s, '')", (CHANNEL,))  # type: ignore[no-untyped-call]
        found: list[dict[str, Any]] = list(row.select(row.version).dicts().execute(connection))
        return int(found[0]["version"])


def _check_room(connection: peewee.Database, name: str) -> None:
    row = ControlRow
    others = row.select(peewee.fn.COUNT(row.name).alias("n")).where(
        (row.target == Target.MESSAGE.value) & (row.name != name)
    )
    if next(iter(others.dicts().execute(connection)))["n"] >= MOST_MESSAGES:
        raise Conflict(
            f"{MOST_MESSAGES} messages are revoked already, and not all of them have come by. Pause their queue or "
            "actor instead, or withdraw some."
        )


def _one_line(words: str) -> str:
    """Return a person's words as they may stand in a line of a log."""
    return "".join(each if each.isprintable() else " " for each in words).strip()


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _view(row: dict[str, Any]) -> Instruction:
    return Instruction(
        target=Target(row["target"]), name=row["name"], action=Action(row["action"]), by=row["by"],
        reason=row["reason"], at=row["at"].timestamp(),
        until=row["until"].timestamp() if row["until"] else None, version=row["version"],
    )  # fmt: skip
