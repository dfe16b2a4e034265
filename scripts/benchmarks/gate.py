"""``scripts/bench gate``: decisions a second, added latency and exactness of our limits, beside two limiters."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import report
from benchmarks.gate_cluster import private_postgres
from benchmarks.gate_limiters import LIMITERS

ROOT = Path(__file__).resolve().parents[2]

#: What the other limiters need; they are installed for the run only (``uv run --with``).
OTHERS = ("limits==5.8.0", "pyrate-limiter==4.5.1", "redis==8.1.0", "psycopg[binary,pool]==3.3.9")

#: Clients that ask at the same time: processes, and threads of each.
CLIENTS = {1: (1, 1), 8: (8, 1), 50: (10, 5)}

#: Questions a second of all clients: ten times what 100 pictures and 200 texts a minute need.
PACE = 50.0

#: Most seconds for which clients ask as often as they can: there are enough answers in them.
_FULL = 5.0

#: The limit of the measurement of exactness: so many in any so many seconds.
EXACT_MOST, EXACT_WINDOW = 100, 5.0

#: A limit that refuses nothing, for the others.
_UNLIMITED = 10_000_000


def command(
    seconds: Annotated[float, typer.Option(help="Length of each measurement at 50 questions/s.", min=1)] = 5.0,
    others: Annotated[bool, typer.Option(help="Other limiters too; needs redis-server and the network.")] = True,
    only: Annotated[str, typer.Option(help="Only limiters whose names contain this, such as 'all guards'.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Decisions a second and latency at 1, 8 and 50 clients, and whether any window held more than the limit.

    \b
    Our question takes two limits at once, the others' one. With all guards it is all that a request costs besides
    itself: breaker, two budgets, two limits, and their accounts when it has ended. At 50/s all clients together ask at
    ten times the rate that 100 pictures and 200 texts a minute need, each at moments of its own, by chance. PostgreSQL
    and SQLite wait for the disk.

    \b
    Exactness: 8 clients ask as often as they can under 100 in any 5 s, and the grants of all are counted window by
    window, at the moments when the clients had them: a few more than the limit may be the delay of the answers. Ours
    leave room for that; the others do not.

    \b
    Examples:
      scripts/bench gate
      scripts/bench gate --no-others --seconds 20
      scripts/bench gate --no-others --only 'all guards'
    """
    results: dict[str, Any] = {"machine": report.machine(), "rows": []}
    with tempfile.TemporaryDirectory() as folder, private_postgres() as url, _redis(others) as redis:
        for name in LIMITERS:
            if only not in name or (not name.startswith("ours") and redis is None):
                continue
            for clients in CLIENTS:
                report.note(f"{name}, {clients} clients…")
                results["rows"].append(_measure(name, clients, seconds, _place(name, url, redis, folder)))
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _measure(name: str, clients: int, seconds: float, address: str) -> dict[str, Any]:
    most, short = _UNLIMITED, min(seconds, _FULL)
    full = _run(name, clients, address, short, most=most, window=1.0)
    paced = _run(name, clients, address, seconds, most=most, window=1.0, rate=PACE / clients)
    row = {
        "limiter": name,
        "clients": clients,
        "decisions_per_second": round(len(full["granted"]) / short),
        "full_p99_ms": _p99(full["took"]),
        "paced_p50_ms": _percentile(paced["took"], 0.5),
        "paced_p99_ms": _p99(paced["took"]),
        "errors": full["errors"] + paced["errors"],
    }
    if clients == 8 and "all guards" not in name:
        exact = _run(name, clients, address, 3 * EXACT_WINDOW, most=EXACT_MOST, window=EXACT_WINDOW)
        row["worst_window"] = _largest(sorted(exact["granted"]), EXACT_WINDOW)
        row["errors"] += exact["errors"]
    return row


def _run(
    name: str, clients: int, address: str, seconds: float, *, most: int, window: float, rate: float = 0.0
) -> dict[str, Any]:
    processes, threads = CLIENTS[clients]
    start = time.time() + 2.0 + 0.5 * processes  # all have loaded by then
    options = ["--threads", threads, "--most", most, "--window", window, "--rate", rate, "--start", start]
    command = [*_python(name), "-m", "benchmarks.gate_client", name, address, *options, "--seconds", seconds]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "scripts"), str(ROOT / "src")])}
    started = [
        subprocess.Popen(  # noqa: S603 - our own command
            [str(part) for part in command], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(processes)
    ]
    found = [json.loads(process.communicate()[0]) for process in started]
    return {
        "took": sorted(took for one in found for took in one["took"]),
        "granted": [at for one in found for at in one["granted"]],
        "errors": [error for one in found for error in one["errors"]][:1],
    }


def _python(name: str) -> list[str]:
    if name.startswith("ours"):
        return [sys.executable]
    uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
    return [uv, "run", "-q", "--no-project", *(word for package in OTHERS for word in ("--with", package)), "python"]


def _place(name: str, url: str, redis: str | None, folder: str) -> str:
    """Return an address of its own for one limiter, with our tables where it is ours."""
    if name.endswith("Redis"):
        assert redis is not None
        return redis
    if "PostgreSQL" in name and not name.startswith("ours"):
        return url
    from growbin_jobs.engine.central.opening import open_database
    from growbin_jobs.engine.central.upgrade import upgrade
    from growbin_jobs.models import SCHEMA

    path = Path(folder, "limits.db")
    address = url if name.endswith("PostgreSQL") else str(path)
    database = open_database(url if address == url else None, default_path=path, pool_size=1, timeout=30)
    upgrade(database, SCHEMA)
    database.close()
    return address


@contextlib.contextmanager
def _redis(wanted: bool) -> Iterator[str | None]:
    """Start a private Redis and yield its address; None: it is not wanted, or not installed."""
    program = shutil.which("redis-server")
    if not wanted or program is None:
        report.note("No redis-server: the other limiters are not measured.")
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        port = _free_port()
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder]
        process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)  # noqa: S603 - our own command
        try:
            until = time.monotonic() + 10
            while not _listens(port) and time.monotonic() < until:
                time.sleep(0.05)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def _largest(moments: list[float], window: float) -> int:
    return max((bisect_right(moments, first + window) - at for at, first in enumerate(moments)), default=0)


def _percentile(took: list[float], part: float) -> float:
    return round(took[min(len(took) - 1, int(part * len(took)))] * 1000, 2) if took else 0.0


def _p99(took: list[float]) -> float:
    return _percentile(took, 0.99)


def _show(results: dict[str, Any]) -> None:
    columns = ["", "clients", "decisions/s", "p99 ms, full", "p50 ms, 50/s", "p99 ms, 50/s", "worst of 100 in 5 s"]
    names = ("clients", "decisions_per_second", "full_p99_ms", "paced_p50_ms", "paced_p99_ms")
    rows = [[row["limiter"], *(row[name] for name in names), row.get("worst_window", "")] for row in results["rows"]]
    report.show("Decisions of limiters", columns, rows)
    for row in results["rows"]:
        if row["errors"]:
            print(f"{row['limiter']}, {row['clients']} clients: {row['errors'][0]}")
