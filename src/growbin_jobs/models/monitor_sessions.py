"""The table ``monitor_session``: who is signed in to the monitor."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.models.monitor_secrets import fits, id_of, new_secret


class MonitorSessionRow(peewee.Model):
    """Table ``monitor_session``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    secret_hash = peewee.TextField()
    name = WordsField()
    kind = peewee.TextField()
    role = peewee.TextField()
    personal = peewee.BigIntegerField()
    address = peewee.TextField()
    created_at = UtcField()
    expires_at = UtcField()
    ended_at = UtcField(null=True)

    class Meta:
        table_name = "monitor_session"
        indexes = ((("expires_at",), False),)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSession:
    """One sign-in. ``role`` is a word, ``personal`` the right to see personal data; times are aware, in UTC."""

    id: str
    name: str
    kind: str
    role: str
    personal: bool
    address: str
    created_at: datetime
    expires_at: datetime


class MonitorSessions:
    """Keeps sessions.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, *, name: str, kind: str, role: str, personal: bool, address: str, hours: float) -> tuple[str, str]:
        """Begin one and return its id and the secret for the cookie."""
        identifier, secret, hashed = new_secret()
        now = datetime.now(UTC)
        row = {
            "id": identifier, "secret_hash": hashed, "name": name, "kind": kind, "role": role,
            "personal": int(personal), "address": address, "created_at": now,
            "expires_at": now + timedelta(hours=hours),
        }  # fmt: skip
        stale = MonitorSessionRow.delete().where(MonitorSessionRow.expires_at < now - timedelta(days=30))

        def work(connection: Any) -> None:
            MonitorSessionRow.insert(row).execute(connection)
            stale.execute(connection)

        self._database.transaction(work)
        return identifier, secret

    def find(self, secret: str) -> MonitorSession | None:
        """Return the session of a cookie; None when it has ended, or there is none."""
        row, identifier = MonitorSessionRow, id_of(secret)
        if identifier is None:
            return None
        alive = row.ended_at.is_null() & (row.expires_at > datetime.now(UTC))
        found = self._database.rows(row.select().where((row.id == identifier) & alive))
        if not found or not fits(secret, found[0]["secret_hash"]):
            return None
        return _session(found[0])

    def end(self, identifier: str) -> bool:
        """End one; return whether it went on until now."""
        row = MonitorSessionRow
        query = row.update(ended_at=datetime.now(UTC)).where((row.id == identifier) & row.ended_at.is_null())
        return bool(self._database.run(lambda connection: query.execute(connection)))

    def all(self) -> list[MonitorSession]:
        """Return those that go on, the newest first."""
        row = MonitorSessionRow
        alive = row.ended_at.is_null() & (row.expires_at > datetime.now(UTC))
        return [
            _session(each) for each in self._database.rows(row.select().where(alive).order_by(row.created_at.desc()))
        ]


def _session(row: dict[str, Any]) -> MonitorSession:
    names = MonitorSession.__dataclass_fields__
    return MonitorSession(**{name: row[name] for name in names} | {"personal": bool(row["personal"])})
