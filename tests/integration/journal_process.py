"""A process for test_journal_processes.py: ``python journal_process.py ROLE PATH [ARGUMENT]``.

It says on stdout what it does, a line each, so that a test can await it, also just before it is killed.
"""

import sys

if "gevent" in sys.argv[1]:
    from gevent import monkey

    monkey.patch_all()

import itertools
import os
import resource
import signal
import threading
import time
import uuid
from pathlib import Path

from growbin_jobs.engine.delivery.records import Finish, Health, OutboxMessage, TaskState
from growbin_jobs.engine.journal.file import opening as files
from growbin_jobs.engine.journal.journal import Journal
from growbin_jobs.engine.journal.tables import reader

ROLE, PATH, ARGUMENT = sys.argv[1], Path(sys.argv[2]), (sys.argv[3:] or [""])[0]

journal = Journal(PATH, node="node", worker=ROLE, free_floor=1)


def say(*words: object) -> None:
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def an_end(task_id: str, state: TaskState = TaskState.COMPLETED, **changes: object) -> Finish:
    now = time.time()
    values: dict[str, object] = {"task_name": "actor", "queue_name": "queue", "payload": "[]", "result": "r" * 100}
    values |= {"worker": journal.worker, "started_at": now, "completed_at": now}
    return Finish(task_id=task_id, state=state, **(values | changes))  # type: ignore[arg-type]


def message(message_id: str) -> OutboxMessage:
    return OutboxMessage(message_id=message_id, task_name="next", queue_name="queue", body=b"{}")


def write(count: int) -> None:
    """Write so many ends from four threads, each with a follow-up that is paid, and say how many were told."""
    told = threading.Semaphore(0)

    def then(error: BaseException | None, owed: tuple[OutboxMessage, ...]) -> None:
        assert error is None, error
        journal.confirmed(each.seq for each in owed)
        told.release()

    def work() -> None:
        for _ in range(count // 4):
            task_id = str(uuid.uuid4())
            journal.end(journal.begin(task_id, "actor", "queue"))
            journal.finish(an_end(task_id, outbox=(message(task_id + ".1"),)), then)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(count // 4 * 4):
        told.acquire()
    journal.close()
    say("wrote", count // 4 * 4)


def write_for_ever() -> None:
    """Say each end once it was told, and each accepted message, until it is killed."""
    ahead = threading.Semaphore(200)

    def told(task_id: str) -> None:
        say("end", task_id)
        ahead.release()

    for n in itertools.count():
        task_id = str(uuid.uuid4())
        ahead.acquire()
        journal.finish(an_end(task_id, outbox=(message(task_id + ".1"),)), lambda error, _, id=task_id: told(id))
        if n % 50 == 0:
            say("accepted", journal.accept(message(f"accepted-{task_id}"), "[]").message_id)


def run_and_hang() -> None:
    """Start three tasks, end one, fetch others, and wait to be killed."""
    journal.begin("poison-" + ARGUMENT, "actor", "queue")
    journal.begin("beside", "actor", "queue")
    journal.end(journal.begin("ended", "actor", "queue"))
    journal.lookup(["fetched"])
    say("running", os.getpid())
    signal.pause()


def charge() -> None:
    """Open the journal when a line comes in."""
    sys.stdin.readline()
    say("crashes", {id: known.crashes for id, known in journal.lookup(["poison-", "beside", "ended"]).items()})
    journal.close()


def fill() -> None:
    """Write into a file that may not grow beyond so many bytes, until a line comes in; then it may."""
    flips: list[bool] = []
    told: list[str] = []
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal.write(lambda _: None)
    journal.on_health(lambda health: flips.append(health.writable))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(ARGUMENT), hard))

    def then(task_id: str, error: BaseException | None) -> None:
        assert error is None, error
        told.append(task_id)

    sent = []
    while not journal.health().unwritten:
        sent.append(str(uuid.uuid4()))
        journal.finish(an_end(sent[-1], result="r" * 2000), lambda error, _, id=sent[-1]: then(id, error))
        time.sleep(0.0005)
    while not flips:
        time.sleep(0.001)
    health: Health = journal.health()
    say("full", health.writable, health.unwritten > 0, len(told) < len(sent), journal.lookup(["x"]) == {})
    sys.stdin.readline()
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.wait_writable(20.0)
    while len(flips) < 2:
        time.sleep(0.001)
    journal.close()
    say("written", sorted(told) == sorted(sent), flips, journal.health().unwritten)


def greenlets_gevent() -> None:
    """1000 greenlets share it, and none of them stops the others while the file is locked."""
    import gevent
    from gevent.event import Event

    hub = gevent.get_hub()

    def run(n: int) -> None:
        task_id = f"t{n}"
        slot = journal.begin(task_id, "actor", "queue")
        gevent.sleep(0)
        journal.end(slot)
        done = Event()
        arrived = hub.loop.async_()
        arrived.start(done.set)
        journal.finish(an_end(task_id), lambda error, _: arrived.send())
        done.wait()
        arrived.close()
        assert journal.lookup([task_id])[task_id].state is TaskState.COMPLETED

    journal.write(lambda _: None)
    slots = [journal.begin(f"warm{n}", "a", "q") for n in range(1000)]
    assert len(set(slots)) == 1000
    for slot in slots:
        journal.end(slot)
    with reader_that_locks() as unlock:
        jobs = [gevent.spawn(run, n) for n in range(1000)]
        gevent.sleep(0.05)
        say("alive", not any(job.ready() for job in jobs))
        unlock()
        gevent.joinall(jobs, raise_error=True)
    counts = journal.read(reader.counts)
    journal.close()
    say("done", counts[TaskState.COMPLETED])


class reader_that_locks:  # noqa: N801 it is used as a word
    """Holds the write lock from the start until it is told not to."""

    def __enter__(self) -> "reader_that_locks":
        self._connection = files.open_journal_file(PATH)
        self._connection.execute("BEGIN IMMEDIATE")
        return self

    def __call__(self) -> None:
        self._connection.execute("ROLLBACK")

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def fork() -> None:
    """A child uses the journal of its parent, which goes on; neither keeps the other alive or disturbs it."""
    told = threading.Semaphore(0)
    journal.finish(an_end("parent-1"), lambda error, _: told.release())
    told.acquire()
    journal.begin("parent-runs", "actor", "queue")
    child = os.fork()
    if child == 0:
        journal.finish(an_end("child"), lambda error, _: told.release())
        told.acquire()
        assert sorted(journal.lookup(["parent-1", "child"])) == ["child", "parent-1"]
        journal.begin("child-runs", "actor", "queue")
        say("child", os.getpid())
        signal.pause()
    journal.finish(an_end("parent-2"), lambda error, _: told.release())
    told.acquire()
    say("parent", os.getpid())
    signal.pause()


def fork_under_load() -> None:
    """Forks while other threads write: no child may inherit a locked mutex."""
    stop = threading.Event()

    def load() -> None:
        told = threading.Semaphore(0)
        while not stop.is_set():
            journal.finish(an_end(str(uuid.uuid4())), lambda error, _: told.release())
            told.acquire()

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(20):
        child = os.fork()
        if child == 0:
            journal.write(lambda connection: None)
            assert journal.accept(message(f"m{n}"), "[]").seq
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    say("forked", journal.backlog())
    journal.close()


if __name__ == "__main__":
    {
        "write": lambda: write(int(ARGUMENT)),
        "write-for-ever": write_for_ever,
        "run-and-hang": run_and_hang,
        "charge": charge,
        "fill": fill,
        "greenlets-gevent": greenlets_gevent,
        "fork": fork,
        "fork-under-load": fork_under_load,
    }[ROLE]()
