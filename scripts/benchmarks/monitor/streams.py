"""Pages that are open: each has a stream, and asks anew when it is told that something has changed, as browsers do."""

import asyncio
import json
import time
from contextlib import suppress
from typing import Any

import httpx
import psutil

from growbin_jobs.engine.central.database import Database

#: What people look at, and the topics at which it asks anew, with the least seconds between two questions.
LOOKED_AT = (
    ("/", {"tasks", "workers"}, 2.0), ("/tasks", {"tasks"}, 2.0), ("/tasks?state=dead", {"tasks"}, 2.0),
    ("/errors", {"tasks"}, 5.0), ("/queues", {"tasks", "workers"}, 3.0), ("/workers", {"workers"}, 3.0),
    ("/analyses", {"analyses"}, 3.0), ("/dead-letters", {"tasks"}, 3.0),
)  # fmt: skip

#: New tasks a second while pages are open.
RATE = 20

_NEW = """
INSERT INTO tasks (task_id, node, task_name, queue_name, payload, status, created_at, started_at, completed_at,
    retry_count, result, worker, synced_at, deferrals, crashes, seq)
SELECT gen_random_uuid()::text, node, task_name, queue_name, payload, 'completed', now(), now(), now(), 0, result,
    worker, now(), 0, 0, seq FROM (SELECT * FROM tasks ORDER BY created_at DESC LIMIT %s) AS newest
"""


def open_pages(
    database: Database, url: str, pid: int, *, pages: int, seconds: float, settle: float
) -> dict[str, float]:
    """Return what open pages cost the monitor while tasks end all the time.

    Parameters:
      pages: How many.
      seconds: For so long it is measured.
      settle: For so long nothing is measured: the monitor finds how often it may tell.
    """
    return asyncio.run(_Pages(database, url, pid).measured(pages, seconds, settle))


class _Pages:
    def __init__(self, database: Database, url: str, pid: int) -> None:
        self._database, self._url, self._process = database, url, psutil.Process(pid)
        self._answers: list[float] = []
        self._told: list[float] = []

    async def measured(self, pages: int, seconds: float, settle: float) -> dict[str, float]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self._url, timeout=60, limits=limits) as client:
            opened = [asyncio.create_task(self._page(client, *LOOKED_AT[at % len(LOOKED_AT)])) for at in range(pages)]
            opened.append(asyncio.create_task(self._work()))
            await asyncio.sleep(settle)
            self._answers.clear()
            self._told.clear()
            cpu, at = self._cpu(), time.monotonic()
            await asyncio.sleep(seconds)
            passed, cpu = time.monotonic() - at, self._cpu() - cpu
            for task in opened:
                if task.done():
                    task.result()  # what it raised: nothing was measured
                task.cancel()
            await asyncio.gather(*opened, return_exceptions=True)
        took = sorted(self._answers) or [0.0]
        return {
            "pages": pages, "core": cpu / passed, "answers_per_second": len(self._answers) / passed,
            "told_every_s": pages * passed / max(1, len(self._told)),
            "p50": took[len(took) // 2], "p95": took[int(len(took) * 0.95) - 1],
        }  # fmt: skip

    async def _page(self, client: httpx.AsyncClient, address: str, topics: set[str], throttle: float) -> None:
        asked, last = set[asyncio.Task[None]](), 0.0
        async with client.stream("GET", "/live/stream") as stream:
            name = ""
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: ") and (name == "reset" or topics & set(json.loads(line[6:]))):
                    self._told.append(time.monotonic())
                    if time.monotonic() - last >= throttle:
                        last = time.monotonic()
                        asked.add(task := asyncio.create_task(self._ask(client, address)))
                        task.add_done_callback(asked.discard)

    async def _ask(self, client: httpx.AsyncClient, address: str) -> None:
        began = time.perf_counter()
        with suppress(httpx.TransportError):  # at the end the client is closed
            (await client.get(address, headers={"hx-request": "true"})).raise_for_status()
            self._answers.append((time.perf_counter() - began) * 1000)

    async def _work(self) -> None:
        def some(connection: Any) -> None:
            connection.connection().cursor().execute(_NEW, (RATE,))

        while True:
            await asyncio.to_thread(self._database.run, some)
            await asyncio.sleep(1.0)

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)
