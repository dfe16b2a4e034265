"""The table ``webhooks``: who is told of what, and where."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from growbin_jobs.alerts.rules import checked
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import storable
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.errors import ConfigurationError, Conflict, NotFound

#: Minutes in which a rule tells a webhook once; what comes meanwhile is told together.
QUIET_MINUTES: Final = 10.0

_COLUMNS: Final = "id, name, url, secret_ref, rules, quiet, created_by, created_at, watched_from, paused_by"
_NAME: Final = re.compile(r"\w[\w .-]{0,62}")
_SECRET: Final = re.compile(r"env:GROWBIN_WEBHOOK_SECRET(_[A-Z0-9_]+)?|file:\w[\w.-]*", re.ASCII)
_LONGEST_URL: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A receiver.

    Attributes:
      url: Where to; it may hold a secret of its own, so it is shown as :attr:`place`.
      secret_ref: Where the secret is, such as ``env:GROWBIN_WEBHOOK_SECRET``; never the secret.
      rules: Thresholds by rule; None: the rule has none.
      quiet: Seconds in which a rule tells it once.
      created_at: Seconds since 1970.
      watched_from: What began before it is not told as new; seconds since 1970.
      paused_by: Who has paused it; None: it is not.
    """

    id: str
    name: str
    url: str
    secret_ref: str
    rules: Mapping[str, float | None]
    quiet: float
    created_by: str
    created_at: float
    watched_from: float
    paused_by: str | None

    @property
    def place(self) -> str:
        """Scheme and host of its address."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"


class Webhooks:
    """The only writer of ``webhooks``.

    Parameters:
      database: The central one.

    Every method raises Deferred when the database is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def all(self) -> list[Webhook]:
        """Return them by name."""
        sql = f"SELECT {_COLUMNS} FROM webhooks ORDER BY name, id"  # noqa: S608
        return [_webhook(row) for row in self._database.run(lambda one: self._sql.rows(one, sql))]

    def named(self, name: str) -> Webhook:
        """Return one by its name or id.

        Raises:
          NotFound: There is none.
        """
        sql = f"SELECT {_COLUMNS} FROM webhooks WHERE name = ? OR id = ? ORDER BY name = ? DESC"  # noqa: S608
        wanted = storable(name)
        rows = self._database.run(lambda one: self._sql.rows(one, sql, wanted, wanted, wanted))
        if not rows:
            raise NotFound("There is no webhook of this name.")
        return _webhook(rows[0])

    def add(
        self,
        name: str,
        url: str,
        *,
        secret_ref: str,
        rules: Mapping[str, float | str | None],
        quiet_minutes: float = QUIET_MINUTES,
        by: str,
    ) -> Webhook:
        """Add one; what is wrong by then and of the past is not told.

        Raises:
          ConfigurationError: Something of it cannot be; the sentence says what.
          Conflict: There is one of this name.
        """
        _check(name, url, secret_ref, quiet_minutes)
        values = (
            secrets.token_hex(6), name, url, secret_ref, json.dumps(checked(rules)), quiet_minutes * 60.0, by,
        )  # fmt: skip
        sql = (
            f"INSERT INTO webhooks ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, $now, $now, NULL) "  # noqa: S608
            "ON CONFLICT (name) DO NOTHING"
        )

        if not self._database.run(lambda connection: self._sql.run(connection, sql, *values)):
            raise Conflict("There is a webhook of this name.")
        return self.named(name)

    def remove(self, webhook: Webhook) -> None:
        """Remove one, with what it waits for and its history."""

        def work(connection: Any) -> None:
            for table in ("webhook_deliveries", "webhook_subjects"):
                self._sql.run(connection, f"DELETE FROM {table} WHERE webhook_id = ?", webhook.id)  # noqa: S608
            self._sql.run(connection, "DELETE FROM webhooks WHERE id = ?", webhook.id)

        self._database.transaction(work)

    def pause(self, webhook: Webhook, *, by: str | None) -> None:
        """Tell one nothing until it is resumed; ``by`` None resumes it. What happens meanwhile is not made up for."""

        def work(connection: Any) -> None:
            self._sql.run(connection, "UPDATE webhooks SET paused_by = ? WHERE id = ?", by, webhook.id)
            if by is None:  # what is new since the pause is not news of now
                self._sql.run(connection, "UPDATE webhooks SET watched_from = $now WHERE id = ?", webhook.id)
                self._sql.run(connection, "DELETE FROM webhook_subjects WHERE webhook_id = ?", webhook.id)

        self._database.transaction(work)


def _check(name: str, url: str, secret_ref: str, quiet_minutes: float) -> None:
    if not _NAME.fullmatch(name) or name != name.strip():
        raise ConfigurationError("A webhook's name has 1 to 63 letters, digits, blanks, '-', '_' and '.'.")
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or not url.isascii() or not url.isprintable() or " " in url or len(url) > _LONGEST_URL:
        raise ConfigurationError("The address begins with https:// or http:// and has a host.")
    if parts.username is not None or parts.fragment:
        raise ConfigurationError("The address has no user, no password and no '#'.")
    if not _SECRET.fullmatch(secret_ref):
        raise ConfigurationError(
            "The secret is named, not given: env:GROWBIN_WEBHOOK_SECRET, env:GROWBIN_WEBHOOK_SECRET_… or file:NAME in "
            "GROWBIN_WEBHOOK_SECRETS_DIR."
        )
    if not 0 <= quiet_minutes <= 10_080:
        raise ConfigurationError("The quiet time is a number of minutes, a week's at most.")


def _webhook(row: Any) -> Webhook:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    return Webhook(**values | {"rules": json.loads(values["rules"])})
