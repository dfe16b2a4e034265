"""A journal with very many rows: what a start, a look and a daily prune cost then."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from benchmarks.journal_ways import PAYLOAD, RESULT, an_end
from growbin_jobs.engine.delivery.records import TaskState
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import changes, reader
from growbin_jobs.engine.journal.tables.prune import Retention, prune

#: Rows of one transaction while the file is made.
CHUNK = 100_000

FILL = """
WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1 + ?2)
INSERT INTO task_wal (task_id, task_name, queue_name, payload, status, created_at, started_at, completed_at, result,
                      worker, synced_at, seq)
SELECT lower(hex(randomblob(16))), 'storage.upload_image', 'user_input', ?3, 'completed', ?4 + i * 0.01, ?4 + i * 0.01,
       ?4 + i * 0.01, ?5, 'node/storage/1', ?4 + i * 0.01 + 2, i + 1 FROM n
"""


def fill(path: Path, rows: int, note: Callable[[str], None]) -> None:
    """Make a journal of tasks that were completed and synced long ago, 100 a second."""
    connection = files.open_journal_file(path)
    connection.pragma("synchronous", "OFF")
    connection.pragma("cache_size", -2_000_000)
    for start in range(0, rows, CHUNK):
        connection.execute(FILL, (start, min(CHUNK, rows - start), PAYLOAD, time.time() - 90 * 86_400, RESULT))
        note(f"{start:,} of {rows:,} rows…")
    connection.close()


def measure(path: Path, seconds: float) -> dict[str, Any]:
    """Open it, look, write and prune."""
    before = _resident()
    journal = Journal(path, node="bench", worker="bench", free_floor=1)
    results: dict[str, Any] = {"bytes": sum(reader.sizes(path).values())}
    results["start_ms"], _ = _timed(lambda: journal.lookup(["unheard of"]))
    results["status_ms"], counts = _timed(lambda: journal.read(reader.counts))
    results["rows"] = counts[TaskState.COMPLETED]
    results["page_ms"], _ = _timed(lambda: journal.read(lambda c: reader.tasks(c, TaskState.COMPLETED, limit=100)))
    results["unsynced_ms"], _ = _timed(lambda: journal.read(lambda c: changes.unsynced(c)))
    ids = [f"{n:032x}" for n in range(100)]
    results["lookup_100_ms"], _ = _timed(lambda: journal.lookup(ids))
    results["ends_per_second"] = _ends(journal, seconds)

    portions: list[float] = []

    def write(call: Callable[[apsw.Connection], int]) -> int:
        begin = time.perf_counter()
        count = journal.write(call)
        portions.append((time.perf_counter() - begin) * 1e3)
        return count

    taken, deleted = _timed(lambda: prune(write, Retention(), now=time.time(), seconds=seconds))
    portions.sort()
    results["prune"] = {
        "seconds": taken / 1e3, "asked": seconds, "rows_per_second": deleted["task_wal"] / taken * 1e3,
        "portion_p50_ms": portions[len(portions) // 2], "portion_max_ms": portions[-1],
    }  # fmt: skip
    results["memory_mb"] = (_resident() - before) / 1e6
    results["count_ms"], _ = _timed(lambda: journal.read(_count))
    journal.close()
    return results


def _count(connection: apsw.Connection) -> object:
    return connection.execute("SELECT status, count(*) FROM task_wal GROUP BY status").fetchall()


def _ends(journal: Journal, seconds: float) -> float:
    told = [0]

    def then(error: BaseException | None, _: object) -> None:
        assert error is None, error
        told[0] += 1

    begin, sent = time.perf_counter(), 0
    while time.perf_counter() - begin < seconds:
        if sent - told[0] < 1000:
            journal.finish(an_end(journal.worker), then)
            sent += 1
        else:
            time.sleep(0.001)
    while told[0] < sent:
        time.sleep(0.001)
    return sent / (time.perf_counter() - begin)


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = call()
    return (time.perf_counter() - begin) * 1e3, result


def _resident() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024
