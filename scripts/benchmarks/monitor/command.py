"""``scripts/bench monitor``: the monitor's searches, pages and streams over millions of tasks in PostgreSQL."""

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from benchmarks import report
from benchmarks.monitor import asking
from benchmarks.monitor.copying import copying
from benchmarks.monitor.filling import fill, filled, go_on
from benchmarks.monitor.serving import served
from benchmarks.monitor.streams import open_pages
from benchmarks.sync import _services
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.settings import Settings

#: What was asked: milliseconds of the 95th of 100 answers; of a core for open pages; of the copy's rate, with indexes.
TARGETS = {"p95_ms": 150.0, "core": 0.5, "ratio": 0.9}

#: Seconds that one statement may take: on a busy machine an index over five million rows takes minutes.
FILLING = 900.0


def command(
    tasks: Annotated[int, typer.Option(help="Tasks in the table.", min=1000)] = 5_000_000,
    repeats: Annotated[int, typer.Option(help="Times that each query and page is asked.", min=1)] = 40,
    pages: Annotated[int, typer.Option(help="Pages that are open at once; 0 leaves them out.", min=0)] = 200,
    seconds: Annotated[float, typer.Option(help="For so long they are watched, after as long a beginning.")] = 30.0,
    copies: Annotated[
        int, typer.Option(help="Pairs of copying a journal into that table and one without its indexes; 0: none.")
    ] = 0,
    keep: Annotated[
        Path | None, typer.Option(help="Folder in which the database stays, and is found filled the next time.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """p50 and p95 of twelve fixed searches (a term that occurs nowhere included) and of all pages, by HTTP; what pages
    cost that are open while tasks end; and what the indexes cost the copy of journals.

    \b
    A private PostgreSQL (fsync off) makes the tasks itself: 30 days with their analyses, requests, dead letters and
    figures; one in a hundred was given up. Each search is a page of 50 and its count. The monitor is a process of its
    own. CPU is what PostgreSQL and the monitor compute for one answer: other work on the machine hardly changes that.

    \b
    Examples:
      scripts/bench monitor
      scripts/bench monitor --tasks 200000 --repeats 10
      scripts/bench monitor --keep /tmp/many --copies 3
    """
    results: dict[str, Any] = {"machine": report.machine(), "tasks": tasks, "targets": TARGETS, "repeats": repeats}
    started = time.perf_counter()
    with _database(keep) as (url, folder):
        database = open_database(url, default_path=folder, pool_size=4, timeout=FILLING)
        began = time.perf_counter()
        zone = Settings().timezone
        since = filled(database, tasks)
        results["filled"] = since is None
        if since:
            go_on(database, tasks, since=since, zone=zone)
        else:
            _fill(database, tasks, zone)
        results["fill_seconds"] = time.perf_counter() - began
        results["queries"] = asking.queries(database, repeats)
        with served(url, folder) as (address, pid):
            results["pages"] = asking.pages(database, address, pid, repeats)
            if pages:
                report.note(f"{pages} open pages…")
                results["open"] = open_pages(database, address, pid, pages=pages, seconds=seconds, settle=seconds)
        if copies:
            results["copying"] = copying(database, folder, copies)
        database.close()
    results |= {"seconds": time.perf_counter() - started, "load_after": report.machine()["load_before"]}
    if as_json:
        report.dump(results)
    else:
        _show(results)


@contextmanager
def _database(keep: Path | None) -> Iterator[tuple[str, Path]]:
    with tempfile.TemporaryDirectory() as temporary:
        folder = keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        place = ("--dir", str(folder / "services"))
        bound = () if keep else ("--with-pid", str(os.getpid()))
        yield json.loads(_services("up", "--only", "postgres", "--json", *bound, *place))["postgres"]["url"], folder
        if keep is None:
            _services("down", *place)


def _fill(database: Database, tasks: int, zone: str) -> None:
    with Progress(transient=True) as progress:
        bar = progress.add_task(f"{tasks:,} tasks, then indexes and figures", total=tasks)
        fill(database, tasks, zone=zone, told=lambda number: progress.update(bar, completed=number))


def _show(results: dict[str, Any]) -> None:
    for title, key in (("Searches: a page of 50 and its count", "queries"), ("Pages by HTTP", "pages")):
        worst_first = sorted(results[key].items(), key=lambda each: -each[1]["p95"])
        rows = [[name, *(times[column] for column in ("p50", "p95", "max", "cpu"))] for name, times in worst_first]
        columns = [key, "p50 ms", "p95 ms", "max ms", "CPU ms"]
        report.show(f"{title}, the slowest first; asked: p95 below {TARGETS['p95_ms']:g} ms", columns, rows)
    if "open" in results:
        columns = ["open pages", "of a core", "told every s", "answers/s", "p50 ms", "p95 ms"]
        keys = ("pages", "core", "told_every_s", "answers_per_second", "p50", "p95")
        row = [f"{results['open'][key]:.2f}" for key in keys]
        report.show(f"Open pages while tasks end; asked: below {TARGETS['core']:g} of a core", columns, [row])
    if "copying" in results:
        its = results["copying"]
        rows = [[name, round(rate), its["cpu_us_a_row"][name]] for name, rate in its["rates"].items()]
        title = f"Copy of a journal; asked: {TARGETS['ratio']:g} of the rate without indexes for the monitor"
        report.show(title, ["indexes", "rows/s", "CPU us a row"], rows)
        spread = ", ".join(f"{ratio:.3f}" for ratio in its["ratios"])
        print(f"{its['ratio']:.3f} of the rate without ({spread}), {its['cpu_ratio']:.3f} times the CPU time")
    slow = [
        name
        for key in ("queries", "pages")
        for name, times in results[key].items()
        if times["p95"] >= TARGETS["p95_ms"]
    ]
    load = f"load {results['machine']['load_before']} before, {results['load_after']} after"
    print(
        f"{results['tasks']:,} tasks, {'made' if results['filled'] else 'found'} in {results['fill_seconds']:.0f} s; "
        f"all in {results['seconds']:.0f} s; {results['repeats']} times each; {load}"
    )
    print(f"p95 at or above {TARGETS['p95_ms']:g} ms: {', '.join(slow) if slow else 'none'}")
