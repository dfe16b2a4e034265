"""Sums of ``llm_usage`` by day, model, purpose and user: kept with each row that is written, so that reading is short.

``llm_usage_sum`` has them by user; ``llm_usage_total`` without, which is a thousandth of the rows; ``llm_usage_tier``
by price tier. A row that comes twice is added once. What was not added (by a node of an older release, by hand) is
noticed by the count of requests, and the sums of its day are made anew (:mod:`growbin_jobs.limits.usage_days`).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from growbin_jobs.engine.central.driver import Dialect
from growbin_jobs.engine.central.sql_words import SqlWords

#: What is added up.
COUNTED: Final = ("requests", "unpriced", "tokens_in", "tokens_cached", "tokens_reasoning", "tokens_out", "cost")

#: What a row must say of itself to be added.
RETURNED: Final = (
    "day, model, purpose, user_id, coalesce(tier_served, tier_asked, ''), cost, tokens_in, tokens_cached,"
    " tokens_reasoning, tokens_out"
)

_BY_USER: Final = ("day", "model", "purpose", "user_id")
_BY_DAY: Final = _BY_USER[:-1]
_BY_TIER: Final = ("day", "tier")

#: Rows of one statement: SQLite takes 32,766 values.
_BATCH: Final = 500


def add(connection: Any, dialect: Dialect, written: Iterable[Sequence[Any]]) -> None:
    """Add rows to the sums, in the transaction that has written them.

    Parameters:
      connection: Of the database.
      dialect: Its own.
      written: :data:`RETURNED` of each.
    """
    by_user: dict[tuple[str, ...], list[int]] = {}
    by_day: dict[tuple[str, ...], list[int]] = {}
    by_tier: dict[tuple[str, ...], list[int]] = {}
    for day, model, purpose, user, tier, cost, *tokens in written:
        tokens_in, cached, reasoning, out = (each or 0 for each in tokens)
        counted = (1, int(cost is None), tokens_in, cached, reasoning, out, cost or 0)
        of_user, of_day = (day, model, purpose, user or ""), (day, model, purpose)
        for sums, key in ((by_user, of_user), (by_day, of_day), (by_tier, (day, tier))):
            before = sums.setdefault(key, [0] * len(COUNTED))
            sums[key] = [old + new for old, new in zip(before, counted, strict=True)]
    sql = SqlWords(dialect)
    # In one order everywhere, so that two processes never wait for each other.
    _upsert(sql, connection, "llm_usage_sum", _BY_USER, by_user)
    _upsert(sql, connection, "llm_usage_total", _BY_DAY, by_day)
    _upsert(sql, connection, "llm_usage_tier", _BY_TIER, by_tier)


def make_anew(connection: Any, dialect: Dialect, day: str) -> None:
    """Make the sums of a day from its requests, in a transaction; nobody adds to any sum meanwhile."""
    sql = SqlWords(dialect)
    keep_still(connection, dialect, "llm_usage_sum", "llm_usage_total", "llm_usage_tier")
    sql.run(connection, "DELETE FROM llm_usage_sum WHERE day = ?", day)
    sql.run(connection, _OF_REQUESTS, day)
    sql.run(connection, "DELETE FROM llm_usage_total WHERE day = ?", day)
    sql.run(connection, _OF_SUMS, day)
    sql.run(connection, "DELETE FROM llm_usage_tier WHERE day = ?", day)
    sql.run(connection, _OF_TIERS, day)


def keep_still(connection: Any, dialect: Dialect, *tables: str) -> None:
    """Let nobody else write some of the tables of sums until the transaction's end; on SQLite nobody else does."""
    if dialect == "postgresql":
        connection.execute_sql(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE")


#: What is counted of requests.
_COUNTS: Final = """count(*), sum(CASE WHEN cost IS NULL THEN 1 ELSE 0 END),
       coalesce(sum(tokens_in), 0), coalesce(sum(tokens_cached), 0), coalesce(sum(tokens_reasoning), 0),
       coalesce(sum(tokens_out), 0), coalesce(sum(cost), 0)"""

_OF_REQUESTS: Final = f"""
INSERT INTO llm_usage_sum ({", ".join((*_BY_USER, *COUNTED))})
SELECT day, model, purpose, coalesce(user_id, ''), {_COUNTS}
FROM llm_usage WHERE day = ? GROUP BY day, model, purpose, coalesce(user_id, '')
"""  # noqa: S608 constants only

_OF_TIERS: Final = f"""
INSERT INTO llm_usage_tier ({", ".join((*_BY_TIER, *COUNTED))})
SELECT day, coalesce(tier_served, tier_asked, ''), {_COUNTS}
FROM llm_usage WHERE day = ? GROUP BY day, coalesce(tier_served, tier_asked, '')
"""  # noqa: S608 constants only

_OF_SUMS: Final = f"""
INSERT INTO llm_usage_total ({", ".join((*_BY_DAY, *COUNTED))})
SELECT day, model, purpose, {", ".join(f"sum({name})" for name in COUNTED)}
FROM llm_usage_sum WHERE day = ? GROUP BY day, model, purpose
"""  # noqa: S608 constants only


def _upsert(
    sql: SqlWords, connection: Any, table: str, key: Sequence[str], sums: Mapping[tuple[str, ...], list[int]]
) -> None:
    rows = [(*name, *numbers) for name, numbers in sorted(sums.items())]
    one = f"({', '.join('?' * (len(key) + len(COUNTED)))})"
    grow = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in COUNTED)
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        statement = (
            f"INSERT INTO {table} ({', '.join((*key, *COUNTED))}) VALUES {', '.join(one for _ in batch)}"  # noqa: S608
            f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {grow}"
        )
        sql.run(connection, statement, *(value for row in batch for value in row))
