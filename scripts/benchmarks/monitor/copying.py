"""What the indexes that pages need cost the copy of journals into a table of millions."""

import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import report
from benchmarks.monitor.filling import run
from benchmarks.sync import _end
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import tasks

#: Rows of one round.
ROWS = 40_000

_NODE = "copied-by-bench"


def copying(database: Database, folder: Path, rounds: int) -> dict[str, Any]:
    """Return rows a second of the copy with all indexes of ``tasks``, and with that of its key alone.

    Both in turn in the same table, so that a slower minute of the machine is in both. What was copied is deleted, and
    the indexes are made again.
    """
    found = database.run(lambda connection: connection.execute_sql(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND indexname <> 'tasks_pkey'"
    ))  # fmt: skip
    indexes = dict(found.fetchall())
    rates: dict[str, list[float]] = {"all": [], "key only": []}
    for turn in range(rounds):
        report.note(f"copy {turn + 1}, with all indexes…")
        rates["all"].append(_rate(database, folder, turn))
        for name in indexes:
            run(database, f"DROP INDEX {name}")
        report.note(f"copy {turn + 1}, with the key only…")
        rates["key only"].append(_rate(database, folder, turn + 1000))
        for definition in indexes.values():
            run(database, definition)
    run(database, f"DELETE FROM tasks WHERE node = '{_NODE}'")
    medians = {name: statistics.median(its) for name, its in rates.items()}
    return {"rates": medians, "each": rates, "ratio": medians["all"] / medians["key only"]}


def _rate(database: Database, folder: Path, seed: int) -> float:
    chance = random.Random(seed)  # noqa: S311 - ids, not secrets
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = Journal(Path(place, "task_queue.db"), node=_NODE, worker="bench", free_floor=1)
        for _ in range(0, ROWS, 5000):
            ends = [_end(chance, time.time()) for _ in range(5000)]
            journal.write(lambda connection, ends=ends: [tasks.finish(connection, end) for end in ends])
        sync = Sync(journal, Tasks(database), batch=5000)
        run(database, "CHECKPOINT")
        began = time.perf_counter()
        while sync.run_once().behind:
            pass
        took = time.perf_counter() - began
        journal.close()
    return ROWS / took
