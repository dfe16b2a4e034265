"""What one process does in ``scripts/bench journal``: ``python -m benchmarks.journal_ways WAY PATH SECONDS``.

It says ``ready``, begins when a line comes in, and prints one JSON object.
"""

import json
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from growbin_jobs.engine.delivery.codec import new_id
from growbin_jobs.engine.delivery.records import Finish, OutboxMessage, TaskState
from growbin_jobs.engine.journal.file import store
from growbin_jobs.engine.journal.journal import Journal

Run = Callable[[float], tuple[int, int]]

#: Ends of runs that are on their way at most, as prefetch bounds them in a worker.
AHEAD = 1000

PAYLOAD = json.dumps({"args": ["user-0123456789", "s3://growbin/uploads/0123456789/original.jpg", "x" * 60]})
RESULT = json.dumps({"category": "plastic", "item": "pet_bottle", "state": "clean", "advice": "y" * 80})


def an_end(worker: str, *, follow_up: bool = False) -> Finish:
    """About 400 bytes of a row."""
    now, task_id = time.time(), new_id()
    outbox = OutboxMessage(message_id=new_id(), task_name="next", queue_name="next", body=PAYLOAD.encode())
    return Finish(
        task_id=task_id, task_name="storage.upload_image", queue_name="user_input", payload=PAYLOAD, result=RESULT,
        state=TaskState.COMPLETED, worker=worker, started_at=now, completed_at=now, outbox=(outbox,) * follow_up,
    )  # fmt: skip


class Commits:
    """Counts the commits of this process's journal."""

    def __init__(self) -> None:
        self.count = 0

    def install(self) -> None:
        """From now on."""

        def committed(_: store.JournalStore) -> None:
            self.count += 1

        store.JournalStore.committed = committed  # type: ignore[method-assign,assignment]


def ends(journal: Journal, commits: Commits, *, follow_up: bool) -> Run:
    """Ends of runs from four threads, told by callback; with a follow-up, that is confirmed too."""

    def run(seconds: float) -> tuple[int, int]:
        ahead = threading.Semaphore(AHEAD)
        stop, counts = time.perf_counter() + seconds, [0] * 4

        def told(error: BaseException | None, outbox: tuple[OutboxMessage, ...]) -> None:
            assert error is None, error
            if outbox:
                journal.confirmed(each.seq for each in outbox)
            ahead.release()

        def work(thread: int) -> None:
            while time.perf_counter() < stop:
                ahead.acquire()
                journal.finish(an_end(journal.worker, follow_up=follow_up), told)
                counts[thread] += 1

        before = commits.count
        in_threads(4, work)
        for _ in range(AHEAD):
            ahead.acquire()
        return sum(counts), commits.count - before

    return run


def waiting(journal: Journal, commits: Commits) -> Run:
    """One thread that waits for each of its ends."""

    def run(seconds: float) -> tuple[int, int]:
        stop, count, before = time.perf_counter() + seconds, 0, commits.count
        told = threading.Semaphore(0)
        while time.perf_counter() < stop:
            journal.finish(an_end(journal.worker), lambda _error, _owed: told.release())
            told.acquire()
            count += 1
        return count, commits.count - before

    return run


def accepting(journal: Journal, commits: Commits, threads: int) -> Run:
    """Producers' messages, synchronous=FULL; each thread waits for each of its own."""

    def run(seconds: float) -> tuple[int, int]:
        stop, counts, before = time.perf_counter() + seconds, [0] * threads, commits.count

        def work(thread: int) -> None:
            while time.perf_counter() < stop:
                message = OutboxMessage(message_id=new_id(), task_name="a", queue_name="q", body=PAYLOAD.encode())
                journal.accept(message, PAYLOAD)
                counts[thread] += 1

        in_threads(threads, work)
        return sum(counts), commits.count - before

    return run


def obvious(path: Path, synchronous: str) -> Run:
    """What comes to mind first: sqlite3, and a commit for each task."""
    connection = sqlite3.connect(path.with_name("obvious.db"), isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("CREATE TABLE IF NOT EXISTS task (id TEXT PRIMARY KEY, payload, status, result, created, done)")
    connection.execute("CREATE INDEX IF NOT EXISTS task_status ON task (status, created)")

    def run(seconds: float) -> tuple[int, int]:
        stop, count = time.perf_counter() + seconds, 0
        while time.perf_counter() < stop:
            row = (new_id(), PAYLOAD, "completed", RESULT, time.time(), time.time())
            connection.execute("INSERT INTO task VALUES (?, ?, ?, ?, ?, ?)", row)
            count += 1
        return count, count

    return run


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Run it in so many threads and wait for them."""
    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def make(way: str, path: Path) -> Run:
    """Return what is measured."""
    if way.startswith("obvious"):
        return obvious(path, way.partition("-")[2])
    commits = Commits()
    commits.install()
    journal = Journal(path, node="bench", worker="bench", free_floor=1)
    journal.write(lambda _: None)
    match way:
        case "ends":
            return ends(journal, commits, follow_up=False)
        case "ends-follow-up":
            return ends(journal, commits, follow_up=True)
        case "waiting":
            return waiting(journal, commits)
        case "accept-1":
            return accepting(journal, commits, 1)
        case "accept-64":
            return accepting(journal, commits, 64)
    raise ValueError(way)


if __name__ == "__main__":
    run = make(sys.argv[1], Path(sys.argv[2]))
    print("ready", flush=True)
    sys.stdin.readline()
    begin, cpu = time.perf_counter(), time.process_time()
    rows, commits = run(float(sys.argv[3]))
    wall = time.perf_counter() - begin
    print(json.dumps({"rows": rows, "commits": commits, "seconds": wall, "cpu": time.process_time() - cpu}))
