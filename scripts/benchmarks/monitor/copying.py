"""What the indexes that pages need cost the copy of journals into a table of millions."""

import os
import random
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks import report
from benchmarks.monitor.computing import computing_of
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

    Both in turn in the same table, each round the other way round, so that a slower minute of the machine is in both;
    with the computing time of PostgreSQL and of this process, which other work disturbs less. What was copied is
    deleted, and the indexes are made again.
    """
    found = database.run(lambda connection: connection.execute_sql(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'tasks' AND indexname <> 'tasks_pkey'"
    ))  # fmt: skip
    indexes = dict(found.fetchall())
    each: dict[str, list[_Copied]] = {"all": [], "key only": []}
    has_them = True
    for turn in range(rounds):
        for way in each if turn % 2 == 0 else reversed(each):
            if has_them and way == "key only":
                for name in indexes:
                    run(database, f"DROP INDEX {name}")
            elif not has_them and way == "all":
                _make(database, indexes)
            has_them = way == "all"
            report.note(f"copy {turn + 1}, indexes: {way}…")
            each[way].append(_copied(database, folder, len(each[way]) + (0 if has_them else 1000)))
    if not has_them:
        _make(database, indexes)
    run(database, f"DELETE FROM tasks WHERE node = '{_NODE}'")
    rates = {way: statistics.median(one.rate for one in its) for way, its in each.items()}
    pairs = list(zip(each["all"], each["key only"], strict=True))
    return {
        "rates": rates, "each": {way: [one.rate for one in its] for way, its in each.items()},
        "cpu_us_a_row": {way: statistics.median(one.cpu for one in its) * 1e6 / ROWS for way, its in each.items()},
        "ratio": statistics.median(with_.rate / without.rate for with_, without in pairs),
        "ratios": sorted(with_.rate / without.rate for with_, without in pairs),
        "cpu_ratio": statistics.median(with_.cpu / without.cpu for with_, without in pairs),
        "cpu_ratios": sorted(with_.cpu / without.cpu for with_, without in pairs),
    }  # fmt: skip


class _Copied(NamedTuple):
    rate: float
    cpu: float


def _make(database: Database, indexes: dict[str, str]) -> None:
    for definition in indexes.values():
        run(database, definition)


def _copied(database: Database, folder: Path, seed: int) -> _Copied:
    chance = random.Random(seed)  # noqa: S311 - ids, not secrets
    computing = computing_of(database, os.getpid())
    with tempfile.TemporaryDirectory(dir=folder) as place:
        journal = Journal(Path(place, "task_queue.db"), node=_NODE, worker="bench", free_floor=1)
        for _ in range(0, ROWS, 5000):
            ends = [_end(chance, time.time()) for _ in range(5000)]
            journal.write(lambda connection, ends=ends: [tasks.finish(connection, end) for end in ends])
        sync = Sync(journal, Tasks(database), batch=5000)
        run(database, "CHECKPOINT")
        began, cpu = time.perf_counter(), computing()
        while sync.run_once().behind:
            pass
        took, cpu = time.perf_counter() - began, computing() - cpu
        journal.close()
    return _Copied(ROWS / took, cpu)
