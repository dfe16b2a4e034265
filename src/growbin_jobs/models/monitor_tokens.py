"""The table ``monitor_token``: tokens that let scripts into the monitor, and links that let people in once."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.errors import NotFound
from growbin_jobs.models.monitor_secrets import fits, id_of, new_secret

TokenKind = Literal["api", "link"]

#: What a token begins with, so that a scanner for leaked secrets can find it.
PREFIX: Final = "gbm_"


class MonitorTokenRow(peewee.Model):
    """Table ``monitor_token``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    secret_hash = peewee.TextField()
    name = WordsField()
    kind = peewee.TextField()
    role = peewee.TextField()
    personal = peewee.BigIntegerField()
    created_by = WordsField()
    created_at = UtcField()
    expires_at = UtcField()
    revoked_at = UtcField(null=True)
    used_at = UtcField(null=True)

    class Meta:
        table_name = "monitor_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorToken:
    """A token, without its secret.

    Attributes:
      kind: ``api`` for scripts, ``link`` for one sign-in.
      used_at: Of a link: when it was used. Of a token: its last use, to a minute.
    """

    id: str
    name: str
    kind: str
    role: str
    personal: bool
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    used_at: datetime | None = None

    @property
    def state(self) -> str:
        """Return ``valid``, ``used``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        if self.kind == "link" and self.used_at is not None:
            return "used"
        return "expired" if self.expires_at <= datetime.now(UTC) else "valid"


class MonitorTokens:
    """Keeps tokens and links.

    Parameters:
      database: The central one; its errors mean what :meth:`Database.run` says.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self, *, name: str, kind: TokenKind, role: str, personal: bool, created_by: str, lasts: timedelta
    ) -> tuple[MonitorToken, str]:
        """Make one and return it with its secret, which nobody can read again."""
        identifier, secret, hashed = new_secret()
        now = datetime.now(UTC)
        token = MonitorToken(
            id=identifier, name=name, kind=kind, role=role, personal=personal, created_by=created_by, created_at=now,
            expires_at=now + lasts,
        )  # fmt: skip
        row = {
            "id": identifier, "secret_hash": hashed, "name": name, "kind": kind, "role": role,
            "personal": int(personal), "created_by": created_by, "created_at": now, "expires_at": token.expires_at,
        }  # fmt: skip
        self._database.run(lambda connection: MonitorTokenRow.insert(row).execute(connection))
        return token, PREFIX + secret

    def find(self, secret: str) -> MonitorToken | None:
        """Return the API token of a secret; None when there is none that is valid."""
        token = self._find(secret, "api")
        if token is not None and (token.used_at is None or datetime.now(UTC) - token.used_at > timedelta(minutes=1)):
            row = MonitorTokenRow
            query = row.update(used_at=datetime.now(UTC)).where(row.id == token.id)
            self._database.run(lambda connection: query.execute(connection))
        return token

    def use_link(self, secret: str) -> MonitorToken | None:
        """Use up a link and return it; None when there is none that is valid. Of two at once one gets it."""
        token = self._find(secret, "link")
        row = MonitorTokenRow
        if token is None:
            return None
        query = row.update(used_at=datetime.now(UTC)).where((row.id == token.id) & row.used_at.is_null())
        return token if self._database.run(lambda connection: query.execute(connection)) else None

    def revoke(self, identifier: str) -> MonitorToken:
        """Make a token worthless at once.

        Raises:
          NotFound: There is none that is valid.
        """
        row = MonitorTokenRow
        query = row.update(revoked_at=datetime.now(UTC)).where((row.id == identifier) & row.revoked_at.is_null())
        if not self._database.run(lambda connection: query.execute(connection)):
            raise NotFound("There is no such token that was not revoked. `growbin-jobs monitor token list` shows them.")
        return _token(self._database.rows(row.select().where(row.id == identifier))[0])

    def all(self, *, kind: TokenKind = "api") -> list[MonitorToken]:
        """Return all of a kind, the newest first."""
        row = MonitorTokenRow
        query = row.select().where(row.kind == kind).order_by(row.created_at.desc())
        return [_token(each) for each in self._database.rows(query)]

    def _find(self, secret: str, kind: TokenKind) -> MonitorToken | None:
        secret = secret.removeprefix(PREFIX)
        row, identifier = MonitorTokenRow, id_of(secret)
        if identifier is None:
            return None
        query = row.select().where((row.id == identifier) & (row.kind == kind))
        found = self._database.rows(query)
        if not found or not fits(secret, found[0]["secret_hash"]):
            return None
        token = _token(found[0])
        return token if token.state == "valid" else None


def _token(row: dict[str, Any]) -> MonitorToken:
    names = MonitorToken.__dataclass_fields__
    return MonitorToken(**{name: row[name] for name in names} | {"personal": bool(row["personal"])})
