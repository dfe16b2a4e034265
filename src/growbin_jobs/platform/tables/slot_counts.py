"""Counts the facts of one slot, in the way that is quick in each database.

PostgreSQL keeps one sum for each model and bucket while it reads. SQLite would sort all rows by them, which takes five
times as long as reading: there each model is read by itself, in the order of its index, without a sort.
"""

from collections import Counter
from typing import Any, Final

from growbin_jobs.engine.central.sql_words import SqlWords
from growbin_jobs.platform.measures.histogram import LOG_GROWTH, bucket_of

#: Sources of slots.
API_CALLS: Final = "api_calls"
SESSIONS: Final = "sessions"

#: One row of a slot: model, bucket, calls, failed, tokens_in, tokens_out, cost.
Row = tuple[Any, ...]

_SESSIONS: Final = """
SELECT '', 0, COUNT(*), 0, 0, 0, 0 FROM sessions WHERE started_at >= ? AND started_at < ? GROUP BY 1
"""

# The bucket of each row, and not of each different latency: the sums of some hundred buckets stay in the processor's
# cache, those of ten thousand latencies do not.
_BY_BUCKET: Final = """
SELECT COALESCE(model, ''),
       CASE WHEN latency_ms <= 1 THEN 0 ELSE CAST(ceil(ln(CAST(latency_ms AS DOUBLE PRECISION)) / ? - 1e-9) AS BIGINT)
       END,
       COUNT(*), SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END),
       COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0), COALESCE(SUM(cost), 0)
FROM api_calls WHERE at >= ? AND at < ? GROUP BY 2, 1
"""

# All models that are in the table, by leaps through its index; the last row is NULL: the calls without one.
_MODELS: Final = """
WITH RECURSIVE models (model) AS (
    SELECT MIN(model) FROM api_calls
    UNION ALL
    SELECT (SELECT MIN(model) FROM api_calls WHERE model > models.model) FROM models WHERE models.model IS NOT NULL
)
SELECT model FROM models
"""

_OF_MODEL: Final = """
SELECT COUNT(*), SUM(CASE WHEN status >= 400 THEN 1 ELSE 0 END),
       COALESCE(SUM(tokens_in), 0), COALESCE(SUM(tokens_out), 0), COALESCE(SUM(cost), 0), group_concat(latency_ms)
FROM api_calls WHERE model IS ? AND at >= ? AND at < ?
"""


def count_slot(connection: Any, sql: SqlWords, source: str, since: Any, until: Any) -> list[Row]:
    """Count a slot of a source; models and buckets without a call have no row.

    Where the sums of a model lie, in which of its buckets' rows, means nothing: only all of them together do.

    Parameters:
      source: :data:`API_CALLS` or :data:`SESSIONS`.
      since: The slot's begin, as the database has times.
      until: Its end.
    """
    if source == SESSIONS:
        return sql.rows(connection, _SESSIONS, since, until)
    if sql.dialect == "postgresql":
        return sql.rows(connection, _BY_BUCKET, LOG_GROWTH, since, until)
    return _model_by_model(connection, sql, since, until)


def _model_by_model(connection: Any, sql: SqlWords, since: Any, until: Any) -> list[Row]:
    rows: dict[tuple[str, int], Row] = {}
    for (model,) in sql.rows(connection, _MODELS):
        [(calls, *sums, latencies)] = sql.rows(connection, _OF_MODEL, model, since, until)
        if not calls:
            continue
        buckets: Counter[int] = Counter()
        for latency, times in Counter(latencies.split(",")).items():
            buckets[bucket_of(int(latency))] += times
        for bucket, times in buckets.items():
            _add(rows, model or "", bucket, times, *sums)
            sums = [0] * len(sums)  # the first bucket has had them
    return list(rows.values())


def _add(rows: dict[tuple[str, int], Row], model: str, bucket: int, *numbers: int) -> None:
    """Add to a row: calls with an empty name of a model are calls without one."""
    before = rows.get((model, bucket), (model, bucket, *[0] * len(numbers)))[2:]
    rows[model, bucket] = (model, bucket, *(old + new for old, new in zip(before, numbers, strict=True)))
