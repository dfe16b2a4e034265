"""What happened on the platform: users, logins, sessions, API calls and log lines, with their only writer."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import IdField, UtcField, WordsField
from growbin_jobs.platform.tables.dirty import Clock, mark, utc_now

#: Rows of one INSERT: SQLite takes at most 32,766 values in a statement.
_BATCH = 1000


class User(peewee.Model):
    """Table ``users``: whoever has an account, from when to when."""

    id = IdField(primary_key=True)
    created_at = UtcField()
    deleted_at = UtcField(null=True)

    class Meta:
        table_name = "users"


class Login(peewee.Model):
    """Table ``logins``: append-only."""

    id = IdField(primary_key=True)
    user_id = IdField()
    at = UtcField()

    class Meta:
        table_name = "logins"
        indexes = ((("at", "user_id"), False), (("user_id",), False))


class Session(peewee.Model):
    """Table ``sessions``."""

    id = IdField(primary_key=True)
    user_id = IdField()
    started_at = UtcField()
    ended_at = UtcField(null=True)

    class Meta:
        table_name = "sessions"
        indexes = ((("started_at",), False), (("ended_at",), False), (("user_id",), False))


class Log(peewee.Model):
    """Table ``logs``; monthly partitions on PostgreSQL."""

    id = IdField()
    at = UtcField()
    level = peewee.TextField()
    source = WordsField()
    message = WordsField()
    user_id = WordsField(null=True)

    class Meta:
        table_name = "logs"
        primary_key = peewee.CompositeKey("id", "at")
        indexes = ((("at",), False), (("user_id",), False))


class ApiCall(peewee.Model):
    """Table ``api_calls``; monthly partitions on PostgreSQL. ``model`` is empty for a call that asked none."""

    id = IdField()
    at = UtcField()
    user_id = WordsField(null=True)
    model = WordsField(null=True)
    purpose = peewee.TextField(null=True)
    status = peewee.BigIntegerField()
    latency_ms = peewee.BigIntegerField()
    tokens_in = peewee.BigIntegerField(null=True)
    tokens_out = peewee.BigIntegerField(null=True)
    cost = peewee.BigIntegerField(null=True)

    class Meta:
        table_name = "api_calls"
        primary_key = peewee.CompositeKey("id", "at")
        indexes = ((("at",), False), (("user_id",), False), (("model", "at"), False))


#: Which time of a fact decides the slot that it is counted in. Log lines are not counted.
COUNTED_BY: dict[type[peewee.Model], str] = {User: "created_at", Login: "at", Session: "started_at", ApiCall: "at"}


class Facts:
    """The only writer of the platform's facts: each write marks the slots that must be counted anew.

    Writing a row twice is one row; a row that is there stays as it is.

    Parameters:
      database: Where the tables are.
      clock: Returns the time, aware; decides what is late.

    Every method raises Deferred when the database is away, and Permanent when it refuses a value.
    """

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    def record(self, model: type[peewee.Model], rows: Iterable[dict[str, Any]]) -> None:
        """Write rows of one table, in one transaction with the marks of their slots.

        Parameters:
          model: :class:`User`, :class:`Login`, :class:`Session`, :class:`Log` or :class:`ApiCall`.
          rows: Values by column; times aware.
        """
        values, counted_by = list(rows), COUNTED_BY.get(model)
        moments = [row[counted_by] for row in values] if counted_by else []

        def work(connection: Any) -> None:
            for start in range(0, len(values), _BATCH):
                model.insert_many(values[start : start + _BATCH]).on_conflict_ignore().execute(connection)
            mark(connection, self._database.dialect, model._meta.table_name, moments, now=self._clock())

        self._database.transaction(work)

    def end_session(self, session_id: str, at: datetime) -> None:
        """Note when a session ended; the first end stays."""
        query = Session.update(ended_at=at).where((Session.id == session_id) & Session.ended_at.is_null())
        self._database.run(lambda connection: query.execute(connection))

    def delete_user(self, user_id: str, at: datetime) -> None:
        """Note when an account ended: from then on the user is not counted among all users."""
        query = User.update(deleted_at=at).where((User.id == user_id) & User.deleted_at.is_null())

        def work(connection: Any) -> None:
            query.execute(connection)
            mark(connection, self._database.dialect, "users", [at], now=self._clock())

        self._database.transaction(work)


FACTS: Sequence[type[peewee.Model]] = (User, Login, Session, Log, ApiCall)
