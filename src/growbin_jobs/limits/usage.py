"""Table ``llm_usage``: one row for each HTTP request to a model server, and for each request in a batch."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import peewee

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.fields import UtcField, WordsField
from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.limits.usage_sums import RETURNED, add


class LlmUsage(peewee.Model):
    """Table ``llm_usage``. ``migrations/`` creates it; a test holds the two together."""

    id = peewee.TextField(primary_key=True)
    sent_at = UtcField()
    day = peewee.TextField()
    node = WordsField()
    purpose = peewee.TextField()
    analysis_id = WordsField(null=True)
    user_id = WordsField(null=True)
    message_id = WordsField(null=True)
    attempt = peewee.BigIntegerField(null=True)
    model = WordsField()
    served_model = WordsField(null=True)
    tier_asked = WordsField(null=True)
    tier_served = WordsField(null=True)
    outcome = peewee.TextField()
    billed = peewee.TextField()
    status = peewee.BigIntegerField(null=True)
    request_id = WordsField(null=True)
    latency_ms = peewee.BigIntegerField()
    first_byte_ms = peewee.BigIntegerField(null=True)
    tokens_in = peewee.BigIntegerField(null=True)
    tokens_cached = peewee.BigIntegerField(null=True)
    tokens_cache_written = peewee.BigIntegerField(null=True)
    tokens_reasoning = peewee.BigIntegerField(null=True)
    tokens_out = peewee.BigIntegerField(null=True)
    cost = peewee.BigIntegerField(null=True)
    price_version = peewee.TextField(null=True)
    question = peewee.TextField(null=True)

    class Meta:
        table_name = "llm_usage"


#: The price tier of a request in a batch, asked and served: a server's answers in a batch name another one, or none.
BATCH: Final = "batch"


#: The condition of rows that were HTTP requests of their own, in SQL; see :func:`is_by_itself`.
BY_ITSELF: Final = f"(tier_asked IS NULL OR tier_asked <> '{BATCH}')"


def is_by_itself() -> Any:
    """Return the condition of rows that were HTTP requests of their own: those of batches count in no limit."""
    return LlmUsage.tier_asked.is_null() | (LlmUsage.tier_asked != BATCH)


#: How each column's value is written; peewee composes an INSERT of so many columns in longer than it takes to run.
_WRITTEN: Final = {field.name: field.db_value for field in LlmUsage._meta.sorted_fields}


def insert(database: Database, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows and add them to the sums; those that are there already stay as they are.

    Raises:
      Deferred: The database is away.
      Exception: It refuses a row; none was written.
    """
    one = f"({', '.join('?' for _ in _WRITTEN)})"
    sql = (
        f"INSERT INTO llm_usage ({', '.join(_WRITTEN)}) VALUES {', '.join(one for _ in rows)}"  # noqa: S608 - our own
        f" ON CONFLICT DO NOTHING RETURNING {RETURNED}"
    )
    values = [written(row[name]) for row in rows for name, written in _WRITTEN.items()]

    def work(connection: Any) -> None:
        add(connection, database.dialect, SqlWords(database.dialect).rows(connection, sql, *values))

    database.transaction(work)
