"""What the ledger of paid requests and the limits hold about one user: reading it, and taking the user out of it.

Requests, tokens and money stay, since the books must go on to agree; they are nobody's then.
"""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import utc_moment
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limit_names import TOKENS, USER
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.limits.usage_sums import COUNTED, keep_still

#: Tables whose rows are named by a user: limits, budgets and what they counted.
_NAMED: Final = (
    "call_limit", "limit_minute", "limit_promise", "budget", "budget_day", "budget_entry", "budget_cover"
)  # fmt: skip

_FORGET: Final = (
    "UPDATE llm_usage SET user_id = NULL, analysis_id = NULL, message_id = NULL, request_id = NULL, "
    "question = NULL WHERE id IN"
    " (SELECT id FROM llm_usage WHERE user_id = ? LIMIT ?)"
)


def _merge(table: str, key: str) -> str:
    """Return the statement by which a user's sums become part of those of nobody."""
    return (
        f"INSERT INTO {table} ({key}, user_id, {', '.join(COUNTED)})"  # noqa: S608 constants only
        f" SELECT {key}, '', {', '.join(COUNTED)} FROM {table} WHERE user_id = ? ORDER BY {key}"
        f" ON CONFLICT ({key}, user_id) DO UPDATE SET "
        + ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in COUNTED)
    )


#: Tables of sums by user, the days before the spans that are made of them: see :mod:`growbin_jobs.limits.usage_spans`.
_SUMS: Final = {
    table: (_merge(table, key), f"DELETE FROM {table} WHERE user_id = ?")  # noqa: S608 constants only
    for table, key in (("llm_usage_sum", "day, model, purpose"), ("llm_usage_span", "days, since"))
}


class SubjectUsage:
    """Paid requests and limits of a user.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)

    def rows(self, user_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield table and row of everything; requests page by page."""
        row, after = LlmUsage, ""
        while True:
            query = row.select().where((row.user_id == user_id) & (row.id > after)).order_by(row.id).limit(1000)
            page = self._database.rows(query)
            for each in page:
                yield "llm_usage", each
            if not page:
                break
            after = page[-1]["id"]
        columns = ("day", "model", "purpose", *COUNTED)
        sql = f"SELECT {', '.join(columns)} FROM llm_usage_sum WHERE user_id = ? ORDER BY day"  # noqa: S608
        for values in self._database.run(lambda one: self._sql.rows(one, sql, user_id)):
            yield "llm_usage_sum", dict(zip(columns, values, strict=True))
        for table in _NAMED:
            sql = f"SELECT name FROM {table} WHERE name IN (?, ?)"  # noqa: S608
            for (name,) in self._database.run(lambda one, sql=sql: self._sql.rows(one, sql, *_names(user_id))):  # type: ignore[misc]
                yield table, {"name": name}

    def erase_batch(self, connection: Any, user_id: str, *, limit: int = 2000) -> dict[str, int]:
        """Take the user out of the next rows, inside of a transaction; return how many by table, nothing at the end."""
        self._keep_still(connection)
        done = {"llm_usage": self._sql.run(connection, _FORGET, user_id, limit)}
        done |= self._merge(connection, user_id)
        for table in _NAMED:
            sql = f"DELETE FROM {table} WHERE name IN (?, ?)"  # noqa: S608
            done[table] = self._sql.run(connection, sql, *_names(user_id))
        return {table: rows for table, rows in done.items() if rows}

    def erase_late(self, is_erased: Callable[[str | None, str | None, datetime], bool], *, since: datetime) -> int:
        """Take erased users out of rows that nodes have written late; return how many rows.

        A request may name an analysis and no user.

        Parameters:
          is_erased: Called with the user, the analysis and the time of requests.
          since: Of the oldest request that is looked at.
        """
        row = LlmUsage
        query = row.select(row.user_id, row.analysis_id, peewee.fn.MAX(row.sent_at).alias("sent_at"))
        query = query.where(row.sent_at >= since, row.user_id.is_null(False) | row.analysis_id.is_null(False))
        found = 0
        for each in self._database.rows(query.group_by(row.user_id, row.analysis_id)):
            at = utc_moment(each["sent_at"])
            if at is not None and is_erased(each["user_id"], each["analysis_id"], at):
                same = [
                    column.is_null() if value is None else column == value
                    for column, value in ((row.user_id, each["user_id"]), (row.analysis_id, each["analysis_id"]))
                ]
                gone: dict[Any, None] = dict.fromkeys((row.user_id, row.analysis_id, row.message_id, row.request_id))
                forget = row.update(gone).where(*same)
                found += self._database.transaction(
                    lambda one, forget=forget, user=each["user_id"]: self._forget_late(one, forget, user)  # type: ignore[misc]
                )
        return found

    def _forget_late(self, connection: Any, forget: Any, user_id: str | None) -> int:
        self._keep_still(connection)
        if user_id is not None:
            self._merge(connection, user_id)
        return int(forget.execute(connection))

    def _keep_still(self, connection: Any) -> None:
        """Let nobody add to the sums between two statements: it would be lost, or its row would be nobody's alone.

        Whoever writes a request at this moment waits, and both its row and its sums are found at the next look.
        """
        keep_still(connection, self._database.dialect, *_SUMS)

    def _merge(self, connection: Any, user_id: str) -> dict[str, int]:
        done = {}
        for table, (merge, delete) in _SUMS.items():
            self._sql.run(connection, merge, user_id)
            done[table] = self._sql.run(connection, delete, user_id)
        return done


def _names(user_id: str) -> tuple[str, str]:
    return f"{USER}{user_id}", f"{TOKENS}{USER}{user_id}"
