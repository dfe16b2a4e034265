"""Asks what a monitor is asked: twelve fixed searches, and every page."""

import os
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import httpx

from benchmarks import report
from benchmarks.monitor.computing import computing_of
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.search.grammar import parse
from growbin_jobs.engine.central.search.task_search import TaskSearch
from growbin_jobs.monitor.pages.navigation import PAGES
from growbin_jobs.operations.error_groups import error_groups

#: The fixed searches, each with the order of its list.
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

#: Beside the pages of the navigation: what people open from there.
MORE = (
    "/?minutes=360", "/tasks?state=dead", "/tasks?state=lost", "/tasks?q=zzzz-occurs-nowhere", "/tasks?sort=-started",
    "/tasks/{task}", "/tasks/{dead}", "/errors?hours=168", "/errors?hours=744",
    "/errors?hours=24&affected={group}", "/workers?find=node-1", "/dead-letters/{dead}", "/dead-letters?node=node-1",
    "/analyses?status=failed", "/analyses?user=user-77", "/analyses/{analysis}", "/money?by=user", "/audit/review",
)  # fmt: skip


def queries(database: Database, repeats: int) -> dict[str, dict[str, float]]:
    """Return how long each search takes with its count, as the page of tasks asks for them.

    As of each page, with the computing time of all processes that take part, in milliseconds: other work on the machine
    does not change that much.
    """
    search, found, computing = TaskSearch(database), {}, computing_of(database, os.getpid())
    for name, (text, sort) in QUERIES.items():
        report.note(f"query: {name}…")

        def ask(text: str = text, sort: str = sort) -> None:
            expression = parse(text)
            search.total(expression, search.page(expression, sort=sort))

        found[name] = _timed(ask, repeats, computing)
    return found


def pages(database: Database, url: str, pid: int, repeats: int) -> dict[str, dict[str, float]]:
    """Return how long each page takes, asked one after the other by HTTP.

    Parameters:
      url, pid: Of a monitor of that database.
    """
    found, known, computing = {}, _known(database), computing_of(database, pid)
    with httpx.Client(base_url=url, timeout=60) as client:
        for page in (*(page.path for page in PAGES), *MORE):
            report.note(f"page: {page}…")

            def ask(address: str = page.format(**known)) -> None:
                client.get(address).raise_for_status()

            found[page] = _timed(ask, repeats, computing)
    return found


def _known(database: Database) -> dict[str, str]:
    """Return a task of two weeks ago with the three others of its analysis, one that was given up, and a group."""
    middle = "SELECT task_id, seq FROM tasks WHERE created_at > now() - interval '14 days' ORDER BY created_at LIMIT 1"
    dead = "SELECT task_id FROM tasks WHERE status = 'dead' ORDER BY created_at DESC LIMIT 1"
    [(task, number)] = database.run(lambda connection: connection.execute_sql(middle)).fetchall()
    [(given_up,)] = database.run(lambda connection: connection.execute_sql(dead)).fetchall()
    now = datetime.now(UTC)
    groups = error_groups(database, since=now - timedelta(hours=24), until=now).groups
    key = groups[0].key if groups else "none"
    return {"task": task, "dead": given_up, "analysis": f"analysis-{number // 4}", "group": key}


def _timed(ask: Callable[[], None], repeats: int, computing: Callable[[], float]) -> dict[str, float]:
    ask()
    took, cpu = [], computing()
    for _ in range(repeats):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    took.sort()
    return {
        "p50": statistics.median(took), "p95": took[min(len(took) - 1, int(len(took) * 0.95))], "max": took[-1],
        "cpu": (computing() - cpu) * 1000 / repeats,
    }  # fmt: skip
