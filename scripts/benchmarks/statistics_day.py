"""``scripts/bench statistics``: one day of API calls, from facts to the row of the day."""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from benchmarks import report
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.platform.statistics.aggregation import Statistics
from growbin_jobs.platform.tables.facts import ApiCall
from growbin_jobs.platform.tables.partitions import Partitions
from growbin_jobs.platform.tables.slots import Slots
from growbin_jobs.platform.tables.statistics import StatisticsTable

SERVICES = Path(__file__).parents[1] / "services"

#: What was asked: seconds for ten million calls.
TARGET = 10.0

ZONE = ZoneInfo("Asia/Seoul")
DAY = datetime(2026, 11, 26, tzinfo=ZONE)

#: Every model, status and latency comes up in every quarter of an hour; latencies have a long tail.
_CALLS = {
    "postgresql": """
INSERT INTO api_calls (id, at, user_id, model, purpose, status, latency_ms, tokens_in, tokens_out, cost)
SELECT 'c' || n, timestamptz '{begin}' + (n::float8 / {rows} * 86400) * interval '1 second', 'u' || mod(n, {users}),
       (ARRAY['gpt-6-luna', 'gpt-4o-mini', NULL])[1 + mod(n, 3)], 'chat',
       CASE WHEN mod(n, 50) = 0 THEN 500 ELSE 200 END,
       1 + floor(exp(random() * 9.5)), 100, 20, 900
FROM generate_series(0, {rows} - 1) AS n""",
    "sqlite": """
WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows} - 1)
INSERT INTO api_calls (id, at, user_id, model, purpose, status, latency_ms, tokens_in, tokens_out, cost)
SELECT 'c' || n, strftime('%Y-%m-%dT%H:%M:%S', {seconds} + CAST(n * 86400.0 / {rows} AS INTEGER), 'unixepoch')
       || '.000000+00:00', 'u' || n % {users},
       CASE n % 3 WHEN 0 THEN 'gpt-6-luna' WHEN 1 THEN 'gpt-4o-mini' END, 'chat',
       CASE WHEN n % 50 = 0 THEN 500 ELSE 200 END,
       1 + CAST(exp((abs(random()) % 1000000) / 1000000.0 * 9.5) AS INTEGER), 100, 20, 900
FROM numbers""",
}

_LOGINS = {
    "postgresql": "INSERT INTO logins (id, user_id, at)"
    " SELECT 'l' || n, 'u' || n, {at}::timestamptz FROM generate_series(0, {users} - 1) AS n",
    "sqlite": "WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {users} - 1)"
    " INSERT INTO logins (id, user_id, at) SELECT 'l' || n, 'u' || n, {at} FROM numbers",
}


def command(
    rows: Annotated[int, typer.Option(help="API calls of the day.", min=1000)] = 10_000_000,
    users: Annotated[int, typer.Option(help="Users, each of whom logs in once.", min=1)] = 200_000,
    embedded: Annotated[bool, typer.Option("--embedded", help="SQLite in place of PostgreSQL.")] = False,
    kept: Annotated[
        str | None,
        typer.Option(
            "--kept", metavar="URL|FILE", help="A database that stays: what an earlier run has written is counted."
        ),
    ] = None,
    fill: Annotated[bool, typer.Option("--fill", help="Only write the calls into --kept.")] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Count a first time with no file of the database in the system's memory.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Seconds to count a day, with its roll-ups; the process's memory; and how far percentiles are from exact ones.

    \b
    Examples:
      scripts/bench statistics
      scripts/bench statistics --rows 1000000 --embedded
      scripts/bench statistics --embedded --cold
      scripts/bench statistics --kept /tmp/day.db --fill && scripts/bench statistics --kept /tmp/day.db
    """
    if fill and kept is None:
        raise typer.BadParameter("It needs --kept.", param_hint="--fill")
    if cold and kept is not None and "://" in kept:
        raise typer.BadParameter("The files of a server are not ours to be forgotten.", param_hint="--cold")
    with _database(kept, embedded=embedded) as (database, files):
        _fill(database, rows, users)
        if cold:
            _forget(files)
        found = {} if fill else _measured(database, rows, users)
    if fill:
        return
    results = {"machine": report.machine(), "rows": rows, "users": users, "cold": cold, "target": TARGET} | found
    if as_json:
        report.dump(results)
        return
    shown = (
        "first_seconds", "again_seconds", "python_cpu_seconds", "memory_before_mb", "memory_growth_mb",
        "worst_percentile_error",
    )  # fmt: skip
    report.show("one day of API calls", ("", "value"), [(name, f"{found[name]:.3f}") for name in shown])


@contextmanager
def _database(kept: str | None, *, embedded: bool) -> Iterator[tuple[Database, list[Path]]]:
    """Yield a database, and the files and folders that it is in, where they are ours."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        file, url = Path(folder) / "central.db", None
        files: list[Path] = []
        if kept and "://" in kept:
            url = kept
        elif kept:
            file = Path(kept)
        elif not embedded:
            place = ["--dir", f"{folder}/services"]
            up = _services("up", "--only", "postgres", "--json", "--with-pid", str(os.getpid()), *place)
            stack.callback(_services, "down", *place)
            server = json.loads(up)["postgres"]
            url, files = server["url"], [Path(server["data"])]
        database = open_database(url, default_path=file, pool_size=2, timeout=900.0)
        stack.enter_context(closing(database))
        upgrade(database, SCHEMA)
        yield database, files or [file]


def _measured(database: Database, rows: int, users: int) -> dict[str, Any]:
    now = DAY + timedelta(days=2)
    statistics = Statistics(StatisticsTable(database), Slots(database), zone=ZONE, clock=lambda: now)
    memory, cpu, took = _memory(), time.process_time(), []
    for _ in range(2):  # each time with all marks, as if each slot had late facts
        _mark(database)
        began = time.perf_counter()
        statistics.aggregate("daily", DAY)
        took.append(time.perf_counter() - began)
    cpu = time.process_time() - cpu
    [row] = statistics.show("daily", 1)
    assert (row["total_api_calls"], row["active_users"]) == (rows, users)
    return {
        "first_seconds": took[0], "again_seconds": took[1], "python_cpu_seconds": cpu, "memory_before_mb": memory,
        "memory_growth_mb": _memory() - memory, "worst_percentile_error": _error(database, row["latency"], rows),
    }  # fmt: skip


def _fill(database: Database, rows: int, users: int) -> None:
    if database.rows(ApiCall.select(ApiCall.id).limit(1)):
        return
    report.note(f"{rows} calls…")
    Partitions(database).ensure(DAY)
    begin = DAY.astimezone(UTC)
    words = {"begin": begin.isoformat(), "seconds": int(begin.timestamp()), "rows": rows, "users": users}
    database.run(lambda one: one.execute_sql(_CALLS[database.dialect].format(**words)))
    at = f"'{begin.isoformat(timespec='microseconds')}'"
    made = _LOGINS[database.dialect].format(users=users, at=at)
    database.run(lambda one: one.execute_sql(made))
    if database.dialect == "postgresql":
        # As autovacuum does with what has come in the course of a day.
        database.run(lambda one: one.execute_sql("VACUUM (ANALYZE) api_calls"))


def _forget(files: list[Path]) -> None:
    """Have the system write files out, and forget what it has of them in memory."""
    os.sync()
    for place in files:
        for file in [place, *place.rglob("*")]:
            if file.is_file():
                with file.open("rb") as opened:
                    os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _mark(database: Database) -> None:
    slots = [DAY.astimezone(UTC) + timedelta(minutes=15 * number) for number in range(96)]
    values = ", ".join(f"('{slot.isoformat(timespec='microseconds')}', 'api_calls', 1)" for slot in slots)
    sql = f"INSERT INTO statistics_dirty (slot_at, source, version) VALUES {values} ON CONFLICT DO NOTHING"  # noqa: S608
    database.run(lambda one: one.execute_sql(sql))


def _error(database: Database, latency: dict[str, Any], rows: int) -> float:
    """Return how far the percentiles of a row are from those by nearest rank, as a share."""
    counts = "SELECT latency_ms, COUNT(*) FROM api_calls GROUP BY 1 ORDER BY 1"
    found = list(database.run(lambda one: one.execute_sql(counts).fetchall()))
    sums = list(accumulate(number for _, number in found))
    worst = 0.0
    for name, share in (("p50_ms", 50), ("p95_ms", 95), ("p99_ms", 99)):
        exact = found[bisect_left(sums, -(-share * rows // 100))][0]
        worst = max(worst, abs(latency[name] - exact) / exact)
    return worst


def _memory() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _services(*arguments: str) -> str:
    command = [sys.executable, str(SERVICES), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 our own script
