"""``scripts/bench journal``: what one node's journal takes in, and what it costs when it is large."""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks import report

WAYS = {
    "ends": "ends of runs, told by callback",
    "ends-follow-up": "ends with a follow-up, then paid",
    "waiting": "ends, one thread that waits",
    "obvious-NORMAL": "sqlite3, a commit each",
    "accept-64": "accepted (FULL), 64 threads",
    "accept-1": "accepted (FULL), one thread",
    "obvious-FULL": "sqlite3 (FULL), a commit each",
}


def command(
    passes: Annotated[int, typer.Option(help="Rounds over all ways; the median counts.", min=1)] = 5,
    seconds: Annotated[float, typer.Option(help="Length of one run.", min=0.1)] = 2.0,
    rows: Annotated[int, typer.Option(help="Also measure a journal with so many rows (10000000: 6 GB).", min=0)] = 0,
    folder: Annotated[
        Path | None, typer.Option(help="On the disk to measure. Default: the system's for temporary files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Rows and commits per second of one and of four processes that share a journal.

    \b
    Rows of about 400 bytes, synchronous=NORMAL but where FULL is said. Beside it the obvious way: sqlite3 with WAL and
    a commit for each row. The passes are interleaved.

    \b
    Examples:
      scripts/bench journal
      scripts/bench journal --rows 10000000 --passes 1
      scripts/bench journal --json | python3 -m json.tool
    """
    results: dict[str, Any] = {"machine": report.machine(), "passes": passes, "runs": [], "calls": _calls()}
    with tempfile.TemporaryDirectory(dir=folder) as base:
        for turn in range(passes):
            for way, title in WAYS.items():
                for processes in (1, 4):
                    report.note(f"{title}, {processes} processes…")
                    path = Path(base, f"{turn}-{way}-{processes}", "task_queue.db")
                    results["runs"].append({"way": way, "processes": processes, **_run(way, path, processes, seconds)})
        if rows:
            results["large"] = _large(Path(base, "large", "task_queue.db"), rows)
    if as_json:
        report.dump(results)
    else:
        _show(results)


def _run(way: str, path: Path, processes: int, seconds: float) -> dict[str, float]:
    path.parent.mkdir()
    command = [sys.executable, "-m", "benchmarks.journal_ways", way, str(path), str(seconds)]
    running = []
    for _ in range(processes):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 ours
        assert process.stdout
        process.stdout.readline()
        running.append(process)
    for process in running:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    done = [json.loads(process.communicate()[0]) for process in running]
    wall = max(each["seconds"] for each in done)
    rows, commits, cpu = (sum(each[name] for each in done) for name in ("rows", "commits", "cpu"))
    return {"rows_per_second": rows / wall, "commits_per_second": commits / wall, "cpu_us": cpu / max(rows, 1) * 1e6}


def _calls() -> dict[str, float]:
    """Microseconds of what a worker thread does itself."""
    from growbin_jobs.engine.journal.journal import Journal

    with tempfile.TemporaryDirectory() as base:
        journal = Journal(Path(base, "node", "task_queue.db"), node="bench", worker="bench", free_floor=1)
        journal.write(lambda _: None)
        ids = [f"{n:036x}" for n in range(100)]

        def begin_and_end() -> None:
            journal.end(journal.begin(ids[0], "storage.upload_image", "user_input"))

        results = {
            "begin + end": _microseconds(begin_and_end, 50_000),
            "health": _microseconds(lambda: journal.health(), 2_000),
            "lookup of 1": _microseconds(lambda: journal.lookup(ids[:1]), 2_000),
            "lookup of 100": _microseconds(lambda: journal.lookup(ids), 200),
        }
        journal.close()
    return results


def _microseconds(call: Any, times: int) -> float:
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(times):
            call()
        taken.append((time.perf_counter() - begin) / times * 1e6)
    return statistics.median(taken)


def _large(path: Path, rows: int) -> dict[str, Any]:
    from benchmarks import journal_large

    journal_large.fill(path, rows, report.note)
    return journal_large.measure(path, seconds=10.0)


def _show(results: dict[str, Any]) -> None:
    table: list[list[object]] = []
    for way, title in WAYS.items():
        row: list[object] = [title]
        for processes in (1, 4):
            runs = [run for run in results["runs"] if (run["way"], run["processes"]) == (way, processes)]
            row += [round(statistics.median(run[name] for run in runs)) for name in _FIGURES]
        table.append(row)
    report.show(
        f"Rows and commits per second, and CPU µs a row, of 1 and 4 processes (median of {results['passes']} passes)",
        ["way", "rows/s", "commits/s", "CPU µs", "4: rows/s", "commits/s", "CPU µs"],
        table,
    )
    report.show("One call, µs", ["call", "µs"], [[name, value] for name, value in results["calls"].items()])
    if large := results.get("large"):
        flat = {key: value for key, value in large.items() if key != "prune"}
        flat |= {f"prune_{key}": value for key, value in large["prune"].items()}
        report.show("A large journal", ["what", "figure"], [[key, value] for key, value in flat.items()])


_FIGURES = ("rows_per_second", "commits_per_second", "cpu_us")
