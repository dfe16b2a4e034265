"""What the indexes that pages need cost the copy of journals into a table of millions."""

import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
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
ROWS = 20_000

_NODE, _BARE = "copied-by-bench", "tasks_without_indexes"


def copying(database: Database, folder: Path, rounds: int) -> dict[str, Any]:
    """Return rows a second of the copy with all indexes of ``tasks``, and with that of its key alone.

    The second one is a copy of the table, which takes its name in turn: so both are as large, and each round has both,
    the other way round than the round before. With the computing time of PostgreSQL and of this process, which other
    work disturbs less. What was copied is deleted, and the copy of the table dropped.
    """
    report.note("a copy of the table without indexes…")
    run(database, f"CREATE TABLE {_BARE} (LIKE tasks INCLUDING DEFAULTS)")
    try:
        run(database, f"INSERT INTO {_BARE} SELECT * FROM tasks")
        run(database, f"ALTER TABLE {_BARE} ADD PRIMARY KEY (task_id)")
        run(database, f"VACUUM ANALYZE {_BARE}")
        each: dict[str, list[_Copied]] = {"all": [], "key only": []}
        for turn in range(rounds + 1):
            for way in each if turn % 2 else reversed(each):
                report.note(f"copy {turn}, indexes: {way}…")
                with _in_place(database) if way == "key only" else nullcontext():
                    done = _copied(database, folder, turn)
                if turn:  # the first one warms up
                    each[way].append(done)
        run(database, f"DELETE FROM tasks WHERE node = '{_NODE}'")
    finally:
        run(database, f"DROP TABLE {_BARE}")
    pairs = list(zip(each["all"], each["key only"], strict=True))
    ratios, cpu_ratios = [a.rate / b.rate for a, b in pairs], [a.cpu / b.cpu for a, b in pairs]
    return {
        "rates": {way: statistics.median(one.rate for one in its) for way, its in each.items()},
        "cpu_us_a_row": {way: statistics.median(one.cpu for one in its) * 1e6 / ROWS for way, its in each.items()},
        "ratio": statistics.median(ratios), "ratios": sorted(ratios),
        "cpu_ratio": statistics.median(cpu_ratios), "cpu_ratios": sorted(cpu_ratios),
    }  # fmt: skip


@contextmanager
def _in_place(database: Database) -> Iterator[None]:
    """Let the copy of the table have its name for a while."""
    aside = f"{_BARE}_aside"
    run(database, f"ALTER TABLE tasks RENAME TO {aside}; ALTER TABLE {_BARE} RENAME TO tasks")
    try:
        yield
    finally:
        run(database, f"ALTER TABLE tasks RENAME TO {_BARE}; ALTER TABLE {aside} RENAME TO tasks")


class _Copied(NamedTuple):
    rate: float
    cpu: float


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
