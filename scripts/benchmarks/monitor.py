"""``scripts/bench monitor``: the monitor's searches and pages over millions of tasks in PostgreSQL."""

import io
import json
import os
import random
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
import uvicorn
from rich.progress import Progress

from benchmarks import report
from benchmarks.sync import _services
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.models import SCHEMA
from growbin_jobs.monitor.app import make_app
from growbin_jobs.monitor.bootstrap import make_services
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.settings import Settings

#: What was asked: milliseconds of the 95th of 100 answers.
TARGET = 150.0

#: Rows of one COPY.
BATCH = 50_000

#: The fixed queries, each with the order of its list.
QUERIES = {
    "newest": ("", "-created"),
    "a state": ("state:dead", "-created"),
    "two states": ("state:failed OR state:running", "-created"),
    "an actor": ("actor:analyze_image", "-created"),
    "a rare actor": ("actor:reports.weekly", "-created"),
    "not a queue": ("-queue:user_input -node:node-1", "-created"),
    "kwargs": ("kwargs:client_id=123456", "-created"),
    "args": ("args:user-77", "-created"),
    "an error": ("state:dead error:timeout", "-created"),
    "occurs nowhere": ("zzzz-occurs-nowhere", "-created"),
    "a time and a run": ("created:>2h run:>5", "-created"),
    "sorted, with nulls": ("", "-started"),
}

PAGES = ("/", "/tasks", "/tasks?state=dead", "/tasks?q=zzzz-occurs-nowhere", "/errors", "/queues", "/workers",
         "/dead-letters", "/analyses", "/money", "/schedule", "/tasks/{id}")  # fmt: skip

_COLUMNS = (
    "task_id", "node", "task_name", "queue_name", "payload", "status", "created_at", "started_at", "completed_at",
    "error", "retry_count", "result", "worker", "synced_at", "deferrals", "crashes", "seq",
)  # fmt: skip
_ACTORS = (("upload_image", "user_input"), ("analyze_image", "vision_analysis"), ("retrieve_rule", "rule_retrieval"),
           ("generate_response", "response_generation"))  # fmt: skip


def command(
    tasks: Annotated[int, typer.Option(help="Tasks in the table.", min=1000)] = 5_000_000,
    repeats: Annotated[int, typer.Option(help="Times that each query and page is asked.", min=5)] = 40,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """p50 and p95 of twelve fixed searches (a term that occurs nowhere included) and of the pages, by HTTP.

    \b
    A private PostgreSQL (fsync off) gets the tasks by COPY: 30 days, of which one in a hundred was given up. Each
    search is a page of 50 and its count, as the page of tasks asks for them.

    \b
    Examples:
      scripts/bench monitor
      scripts/bench monitor --tasks 200000 --repeats 10
      scripts/bench monitor --json | jq .queries
    """
    results: dict[str, Any] = {"machine": report.machine(), "tasks": tasks, "target_ms": TARGET}
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", "postgres", "--json", "--with-pid", str(os.getpid()), "--dir", folder + "/services"]
        url = json.loads(_services(*up))["postgres"]["url"]
        try:
            services = make_services(Settings(database_url=url, data_dir=Path(folder), language="en"))
            _upgrade(services.database)
            began = time.perf_counter()
            _fill(services.database, tasks)
            results["fill_seconds"] = time.perf_counter() - began
            results["queries"] = _queries(services.database, repeats)
            results["pages"] = _pages(services, repeats)
            services.database.close()
        finally:
            _services("down", "--dir", folder + "/services")
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _upgrade(database: Database) -> None:
    from growbin_jobs.engine.central.upgrade import upgrade

    upgrade(database, SCHEMA)


def _fill(database: Database, tasks: int) -> None:
    """Fill the table; its indexes are made afterwards, which is faster."""
    [indexes] = [database.run(lambda connection: connection.execute_sql(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND indexname <> 'tasks_pkey'"
    ).fetchall())]  # fmt: skip
    for name, _ in indexes:
        database.run(lambda connection, name=name: connection.execute_sql(f"DROP INDEX {name}"))
    chance, end = random.Random(11), datetime.now(UTC)  # noqa: S311 - rows, not secrets
    with Progress(transient=True) as progress:
        bar = progress.add_task(f"{tasks:,} tasks", total=tasks)
        for begin in range(0, tasks, BATCH):
            count = min(BATCH, tasks - begin)
            text = io.StringIO("".join(_line(chance, begin + at, tasks, end) for at in range(count)))
            database.run(lambda connection, text=text: _copy(connection, text))
            progress.advance(bar, count)
        ready = progress.add_task("indexes, figures", total=len(indexes) + 2)
        for _, definition in indexes:
            _slow(database, definition)
            progress.advance(ready)
        _slow(database, "VACUUM ANALYZE tasks")
        progress.advance(ready)
        _figures(database, end)
        progress.advance(ready)


def _line(chance: random.Random, number: int, tasks: int, end: datetime) -> str:
    """One task as COPY's text: 30 days, the newest last."""
    at = end - timedelta(seconds=30 * 86_400 * (1 - number / tasks))
    actor, queue = _ACTORS[number % 4] if number % 200_000 else ("reports.weekly", "reports")
    roll = chance.random()
    state = "completed" if roll < 0.985 else "dead" if roll < 0.995 else "failed" if roll < 0.999 else "running"
    started = at + timedelta(seconds=chance.random() * 2)
    ended = started + timedelta(seconds=chance.random() * 9)
    payload = (
        f'{{"queue_name":"{queue}","actor_name":"{actor}","args":["user-{number % 5000}","s3://growbin/spool/{number}"],'
        f'"kwargs":{{"client_id":{number % 900_000}}},"options":{{}},"message_id":"{number:032x}",'
        f'"message_timestamp":{int(at.timestamp() * 1000)}}}'
    )
    is_bad = state in ("dead", "failed")
    values = (
        f"{number:032x}", f"node-{number % 7}", actor, queue, payload, state, at.isoformat(),
        r"\N" if number % 997 == 0 else started.isoformat(), r"\N" if state == "running" else ended.isoformat(),
        ("KeyError", "APITimeoutError", "RateLimited")[number % 3] if is_bad else r"\N", "0",
        r"\N" if state != "completed" else '{"ok":true}', "w/1", end.isoformat(), "0", "0", str(number),
    )  # fmt: skip
    return "\t".join(values) + "\n"


def _copy(connection: Any, text: io.StringIO) -> None:
    connection.connection().cursor().copy_expert(f"COPY tasks ({', '.join(_COLUMNS)}) FROM STDIN", text, 1 << 20)


def _slow(database: Database, statement: str) -> None:
    def run(connection: Any) -> None:
        connection.execute_sql("SET statement_timeout = 0")
        connection.execute_sql("SET maintenance_work_mem = '512MB'")
        connection.execute_sql(statement)

    database.run(run)


def _figures(database: Database, end: datetime) -> None:
    """Make the last six hours' attempts, dead letters and figures, as keepers do."""
    since = (end - timedelta(hours=6)).isoformat()
    for statement in (
        "INSERT INTO task_attempts (task_id, node, ended_at, outcome, task_name, queue_name, started_at, error,"
        " retry_count, deferrals) SELECT task_id, node, completed_at, status, task_name, queue_name, started_at,"
        " error, 0, 0 FROM tasks WHERE status IN ('dead', 'failed')",
        "INSERT INTO minutes_due (minute, touched) SELECT DISTINCT date_trunc('minute', completed_at), 1 FROM tasks"
        f" WHERE completed_at > '{since}' AND completed_at < '{end.isoformat()}'",
        "INSERT INTO dead_letters (id, node, letter, task_id, task_name, queue_name, body, code, params, error,"
        " traceback, died_at, seq) SELECT task_id, node, 1, task_id, task_name, queue_name, 'x', 'retries_exhausted',"
        " '{}', error, '', completed_at, 1 FROM tasks WHERE status = 'dead'",
        "ANALYZE",
    ):
        _slow(database, statement)
    Minutes(database).compute_due(now=end, kept=timedelta(days=30), limit=1000)


# --- asking


def _queries(database: Database, repeats: int) -> dict[str, dict[str, float]]:
    search, found = TaskSearch(database), {}
    for name, (text, sort) in QUERIES.items():
        report.note(f"query: {name}…")

        def ask(text: str = text, sort: str = sort) -> None:
            expression = parse(text)
            search.total(expression, search.page(expression, sort=sort))

        found[name] = _timed(ask, repeats)
    return found


def _pages(services: Any, repeats: int) -> dict[str, dict[str, float]]:
    found = {}
    with _served(services) as client:
        for page in PAGES:
            report.note(f"page: {page}…")
            address = page.format(id=f"{12345:032x}")

            def ask(address: str = address) -> None:
                client.get(address).raise_for_status()

            found[page] = _timed(ask, repeats)
    return found


@contextmanager
def _served(services: Any) -> Iterator[httpx.Client]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = make_app(MonitorConfig(insecure=True, language="en"), services)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


def _timed(ask: Callable[[], None], repeats: int) -> dict[str, float]:
    ask()
    took = []
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {"p50": statistics.median(took), "p95": took[min(len(took) - 1, int(len(took) * 0.95))]}


def _show(results: dict[str, Any]) -> None:
    for title, key in (("Searches: a page of 50 and its count", "queries"), ("Pages by HTTP", "pages")):
        rows = [[name, times["p50"], times["p95"]] for name, times in results[key].items()]
        report.show(f"{title}; asked: p95 below {TARGET:g} ms", [key, "p50 ms", "p95 ms"], rows)
    print(f"{results['tasks']:,} tasks, filled in {results['fill_seconds']:.0f} s")
