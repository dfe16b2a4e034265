"""``scripts/bench sync``: the node's journal on its way to the central database."""

import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import psutil
import typer

from benchmarks import report
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.task_copy import COLUMNS
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.engine.delivery.records import Finish, TaskState
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks
from growbin_jobs.models import SCHEMA

SERVICES = Path(__file__).parents[1] / "services"

#: What was asked: of plain COPY's rate, and seconds behind.
TARGETS = {"ratio": 0.5, "lag": 2.0}

#: Seconds between two looks for the newest row, and of one tick of the writer.
LOOK, TICK = 0.02, 0.01


def command(
    passes: Annotated[int, typer.Option(help="Rounds of copying; the median counts.", min=1)] = 5,
    rows: Annotated[int, typer.Option(help="Rows of a round.", min=1000)] = 100_000,
    batch: Annotated[int, typer.Option(help="Rows of a transaction, ours and plain.", min=1)] = 5000,
    rate: Annotated[int, typer.Option(help="Tasks per second while the lag is measured.", min=1)] = 2000,
    seconds: Annotated[float, typer.Option(help="How long; 0 leaves it out.", min=0)] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Rows per second against plain COPY of the same rows into the same table, and how far behind it is under load.

    \b
    Plain COPY gets its text ready made, in the same batches. Ours reads the journal, copies, upserts, and marks what
    it copied. Both in turn, on a private PostgreSQL (fsync off). Then a keeper of its own copies what a writer ends.

    \b
    Examples:
      scripts/bench sync
      scripts/bench sync --rate 10000 --seconds 60
      scripts/bench sync --json | python3 -m json.tool
    """
    results: dict[str, Any] = {"machine": report.machine(), "rows": rows, "batch": batch, "targets": TARGETS}
    with tempfile.TemporaryDirectory() as folder:
        up = ["up", "--only", "postgres", "--json", "--with-pid", str(os.getpid()), "--dir", folder + "/services"]
        url = json.loads(_services(*up))["postgres"]["url"]
        database = open_database(url, default_path=Path(folder), pool_size=4, timeout=60.0)
        upgrade(database, SCHEMA)
        try:
            results |= _copying(database, Path(folder, "n1", "task_queue.db"), rows, batch, passes)
            if seconds:
                report.note(f"{rate} tasks/s for {seconds:.0f} s…")
                results["load"] = _under_load(database, url, Path(folder), rate, seconds)
        finally:
            database.close()
            _services("down", "--dir", folder + "/services")
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _services(*arguments: str) -> str:
    command = [sys.executable, str(SERVICES), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout  # noqa: S603 our own script


# --- copying


def _copying(database: Database, path: Path, rows: int, batch: int, passes: int) -> dict[str, Any]:
    journal = Journal(path, node="n1", worker="bench", free_floor=1)
    chance = random.Random(5)  # noqa: S311 - ids, not secrets
    for begin in range(0, rows, 5000):
        ends = [_end(chance, time.time()) for _ in range(min(5000, rows - begin))]
        journal.write(lambda connection, ends=ends: [tasks.finish(connection, end) for end in ends])
    sync = Sync(journal, Tasks(database), batch=batch)
    sync.run_once()
    lines = _dumped(database)
    ways: dict[str, Callable[[], object]] = {"plain": lambda: _plain(database, lines, batch), "ours": sync.sweep}
    took: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(passes):
        for way, run in ways.items():
            report.note(f"pass {turn + 1}, {way}…")
            database.run(lambda connection: connection.execute_sql("TRUNCATE tasks"))
            journal.write(lambda connection: connection.execute("UPDATE task_wal SET synced_at = NULL"))
            began = time.perf_counter()
            run()
            took[way].append(time.perf_counter() - began)
    journal.close()
    database.run(lambda connection: connection.execute_sql("TRUNCATE tasks"))
    ratios = [plain / ours for plain, ours in zip(took["plain"], took["ours"], strict=True)]
    rates = {way: rows / statistics.median(seconds) for way, seconds in took.items()}
    return {"rows_per_second": rates, "ratio": statistics.median(ratios), "ratios": sorted(ratios)}


def _end(chance: random.Random, now: float) -> Finish:
    task_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
    payload = {
        "queue_name": "user_input", "actor_name": "upload_image", "kwargs": {}, "options": {}, "message_id": task_id,
        "args": [f"user-{task_id[:6]}", f"s3://growbin/spool/{task_id}", task_id], "message_timestamp": int(now * 1000),
    }  # fmt: skip
    result = {"s3_path": f"s3://growbin/uploads/{task_id}/original.jpg", "thumbnail_path": f"s3://growbin/{task_id}"}
    return Finish(
        task_id=task_id, task_name="upload_image", queue_name="user_input", payload=json.dumps(payload),
        state=TaskState.COMPLETED, worker="n1/storage/1", created_at=now, started_at=now, completed_at=now,
        result=json.dumps(result),
    )  # fmt: skip


def _dumped(database: Database) -> list[str]:
    text = io.StringIO()
    database.run(
        lambda connection: _cursor(connection).copy_expert(f"COPY tasks ({', '.join(COLUMNS)}) TO STDOUT", text)
    )
    return text.getvalue().splitlines()


def _plain(database: Database, lines: list[str], batch: int) -> None:
    statement = f"COPY tasks ({', '.join(COLUMNS)}) FROM STDIN"
    for begin in range(0, len(lines), batch):
        data = io.BytesIO(("\n".join(lines[begin : begin + batch]) + "\n").encode())
        database.transaction(lambda connection, data=data: _cursor(connection).copy_expert(statement, data, 65536))


def _cursor(connection: Any) -> Any:
    return connection.connection().cursor()


# --- under load


def _under_load(database: Database, url: str, folder: Path, rate: int, seconds: float) -> dict[str, float]:
    env = os.environ | {"DATABASE_URL": url, "GROWBIN_NODE": "n2", "GROWBIN_DATA_DIR": str(folder)}
    keeper = subprocess.Popen([sys.executable, "-m", "growbin_jobs.keeper"], env=env)
    journal = Journal(folder / "n2" / "task_queue.db", node="n2", worker="bench", free_floor=1)
    chance, written, lags = random.Random(6), 0, []  # noqa: S311
    try:
        journal.finish(_end(chance, time.time()), _nothing)
        while _newest(database) is None:
            time.sleep(LOOK)
        before, began = psutil.Process(keeper.pid).cpu_times(), time.monotonic()
        next_look = began
        while (elapsed := time.monotonic() - began) < seconds:
            while written < elapsed * rate:
                journal.finish(_end(chance, time.time()), _nothing)
                written += 1
            if time.monotonic() >= next_look and elapsed > 2:
                lags.append(time.time() - (_newest(database) or 0.0))
                next_look = time.monotonic() + LOOK
            time.sleep(TICK)
        after, took = psutil.Process(keeper.pid).cpu_times(), time.monotonic() - began
    finally:
        keeper.terminate()
        keeper.wait(60)
        journal.close()
    lags.sort()
    return {
        "tasks_per_second": written / took,
        "lag_p50": lags[len(lags) // 2],
        "lag_p99": lags[len(lags) * 99 // 100],
        "lag_max": lags[-1],
        "keeper_cpu_percent": (after.user + after.system - before.user - before.system) / took * 100,
    }


def _newest(database: Database) -> float | None:
    found = Tasks(database).recent(1)
    return found[0].created_at.timestamp() if found else None


def _nothing(_error: BaseException | None, _owed: object) -> None:
    return None


def _show(results: dict[str, Any]) -> None:
    rates, ratios = results["rows_per_second"], results["ratios"]
    report.show(
        f"{results['rows']} rows in batches of {results['batch']}; asked: {TARGETS['ratio']:.0%} of plain COPY",
        ["way", "rows/s"],
        [["plain COPY", int(rates["plain"])], ["journal to tasks", int(rates["ours"])]],
    )
    print(f"{results['ratio']:.0%} of plain COPY ({ratios[0]:.0%} to {ratios[-1]:.0%})\n")
    if load := results.get("load"):
        report.show(
            f"Under load; asked: less than {TARGETS['lag']:g} s behind",
            ["tasks/s", "p50 s", "p99 s", "max s", "keeper's CPU %"],
            [[f"{load['tasks_per_second']:.0f}", *(f"{load[key]:.2f}" for key in ("lag_p50", "lag_p99", "lag_max")),
              load["keeper_cpu_percent"]]],
        )  # fmt: skip
