"""What batches hold about one user: the messages that wait, and pictures that are to be asked about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.models.batch_life import Why
from growbin_jobs.models.batch_settling import BatchSettling

_COLUMNS: Final = ("message_id", "analysis_id", "user_id", "body", "put_at", "back_at", "batch_id", "why")

#: Questions of which one of a user's messages has told how to make the request.
_OF_USER: Final = "key IN (SELECT key FROM model_batch_waiter WHERE user_id = ?)"


class SubjectBatches:
    """Batches, as far as one user is concerned.

    Parameters:
      database: The central one; every method raises Deferred when it is away.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sql = SqlWords(database.dialect)
        self._settling = BatchSettling(database)

    def rows(self, user_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield table and row of everything."""
        sql = f"SELECT {', '.join(_COLUMNS)} FROM model_batch_waiter WHERE user_id = ? ORDER BY message_id"  # noqa: S608
        for values in self._database.run(lambda one: self._sql.rows(one, sql, user_id)):
            yield "model_batch_waiter", dict(zip(_COLUMNS, values, strict=True))

    def erase(self, connection: Any, user_id: str) -> dict[str, int]:
        """Take the user out, inside of a transaction; return how many rows by table.

        Where others want the same answer, their messages are sent again and ask by themselves. What a batch asks
        already is read without knowing whose it was.
        """
        waiting = self._sql.rows(
            connection,
            f"SELECT key FROM model_batch_question WHERE state = 'waiting' AND {_OF_USER}",  # noqa: S608
            user_id,
        )
        forget = f"UPDATE model_batch_question SET asks = '{{}}' WHERE purpose = 'vision' AND {_OF_USER}"  # noqa: S608
        self._sql.run(connection, forget, user_id)
        gone = self._sql.run(connection, "DELETE FROM model_batch_waiter WHERE user_id = ?", user_id)
        self._settling.settle_in(connection, {key: Why.NOT_ASKED for (key,) in waiting}, states=("waiting",))
        return {"model_batch_waiter": gone} if gone else {}
