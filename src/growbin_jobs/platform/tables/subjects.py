"""What the platform's facts hold about one user: reading it, and making it anonymous so that all counts stay.

Log lines are deleted. What is counted stays without the person: another id, a pseudonym that nobody can resolve, and
the begin of the quarter of an hour in place of the time. So a period that is counted again gives the same row.
"""

from collections.abc import Iterator
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.platform.tables.facts import ApiCall, Log, Login, Session, User

#: Tables and the column with the user's id.
_TABLES: Final[tuple[tuple[type[peewee.Model], str], ...]] = (
    (User, "id"),
    (Login, "user_id"),
    (Session, "user_id"),
    (ApiCall, "user_id"),
    (Log, "user_id"),
)

#: SQL of the begin of the slot that a moment lies in.
_SLOT_AT: Final[dict[Dialect, str]] = {
    "postgresql": "to_timestamp(floor(extract(epoch FROM {at}) / 900) * 900)",
    # Times are text of fixed width: date and hour, then the begin of the quarter.
    "sqlite": "substr({at}, 1, 14) || substr('00153045', CAST(substr({at}, 15, 2) AS INTEGER) / 15 * 2 + 1, 2) "
    "|| ':00.000000+00:00'",
}

_RANDOM: Final = {"postgresql": "gen_random_uuid()::text", "sqlite": "lower(hex(randomblob(16)))"}

#: One batch of each table; ``{random}`` is another id for each row, ``{slot:…}`` the begin of its slot.
_ERASE: Final = {
    "logs": "DELETE FROM logs WHERE (id, at) IN (SELECT id, at FROM logs WHERE user_id = ? LIMIT ?)",
    "api_calls": "UPDATE api_calls SET user_id = NULL, id = {random}, at = {slot_at} WHERE (id, at) IN"
    " (SELECT id, at FROM api_calls WHERE user_id = ? LIMIT ?)",
    "logins": "UPDATE logins SET user_id = {pseudonym}, id = {random}, at = {slot_at} WHERE id IN"
    " (SELECT id FROM logins WHERE user_id = ? LIMIT ?)",
    "sessions": "UPDATE sessions SET user_id = {pseudonym}, id = {random}, started_at = {slot_started_at} WHERE id IN"
    " (SELECT id FROM sessions WHERE user_id = ? LIMIT ?)",
    "users": "UPDATE users SET id = {pseudonym}, created_at = {slot_created_at} WHERE id IN"
    " (SELECT id FROM users WHERE id = ? LIMIT ?)",
}


class SubjectFacts:
    """The facts about a user.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def counts(self, user_id: str) -> dict[str, int]:
        """Return the number of rows by table; tables without any are left out."""
        found = {}
        for model, column in _TABLES:
            query = model.select().where(getattr(model, column) == user_id)
            found[model._meta.table_name] = self._database.run(lambda one, query=query: int(query.count(one)))  # type: ignore[misc]
        return {table: rows for table, rows in found.items() if rows}

    def rows(self, user_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield table and row of everything, page by page."""
        for model, column in _TABLES:
            whose = getattr(model, column) == user_id
            key: Any = model.id  # type: ignore[attr-defined]
            query = model.select().order_by(key).limit(1000)
            while page := self._database.rows(query.where(whose)):
                for row in page:
                    yield model._meta.table_name, row
                whose = (getattr(model, column) == user_id) & (key > page[-1]["id"])

    def erase_batch(self, connection: Any, user_id: str, pseudonym: str, *, limit: int = 2000) -> dict[str, int]:
        """Make the next rows of each table anonymous, inside of a transaction; return how many, nothing at the end.

        Parameters:
          pseudonym: In place of the id; made by us, of letters, digits and hyphens.
        """
        words = {"random": _RANDOM[self._database.dialect], "pseudonym": f"'{pseudonym}'"}
        for column in ("at", "started_at", "created_at"):
            words[f"slot_{column}"] = _SLOT_AT[self._database.dialect].format(at=column)
        done = {
            table: self._sql.run(connection, statement.format(**words), user_id, limit)
            for table, statement in _ERASE.items()
        }
        return {table: rows for table, rows in done.items() if rows}
