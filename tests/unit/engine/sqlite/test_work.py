"""A fork waits for SQLite: children of a process whose other threads are in it never hang."""

import os
import subprocess
import sys
import threading

import pytest
from tests.whole import WHOLE

from growbin_jobs.engine.sqlite.work import sqlite_work

#: Threads use the central database and the answer cache all the time; every child must be able to use both.
FORKS = """
import os, signal, sys, threading, time
from pathlib import Path
from growbin_jobs.adapters.gpt_cache import GptCache
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import ENGINE_SCHEMA
from tests.upgraded import upgrade
from growbin_jobs.engine.central.workers import WorkerRow

folder, forks = Path(sys.argv[1]), int(sys.argv[2])
database = open_database(None, default_path=folder / "central.db", pool_size=1, timeout=1)
upgrade(database, ENGINE_SCHEMA)
cache = GptCache(folder / "task_queue.db")
stop = threading.Event()

def ask():
    return database.rows(WorkerRow.select())

def use_database():
    while not stop.is_set():
        ask()
        database.close()  # opening takes the most of SQLite's mutexes

def use_cache(name):
    while not stop.is_set():
        cache.put(name, prompt="p", response="r", model="m")
        assert cache.get(name) == "r"

threads = [threading.Thread(target=use_database) for _ in range(3)]
threads += [threading.Thread(target=use_cache, args=(f"k{n}",)) for n in range(2)]
for thread in threads:
    thread.start()
children = set()
hung = 0
for number in range(forks + 1):
    while children and (number == forks or len(children) >= 8):
        child, status = os.wait()
        children.discard(child)
        hung += status != 0
    if number < forks and (child := os.fork()):
        children.add(child)
    elif number < forks:
        signal.alarm(60)  # kills it
        ask()
        cache.get("child")
        os._exit(0 if cache.failures == 0 else 3)
stop.set()
for thread in threads:
    thread.join()
assert cache.failures == 0
print("hung", hung)
"""


def test_children_forked_while_other_threads_are_in_sqlite_do_not_hang(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", FORKS, tmp_path, "300" if WHOLE else "100"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )

    assert (done.stdout, done.stderr) == ("hung 0\n", "")


def test_a_fork_waits_for_the_work_of_other_threads_and_not_for_its_own():
    working, may_end, forked = threading.Event(), threading.Event(), threading.Event()

    def work():
        with sqlite_work():
            working.set()
            may_end.wait(20)

    def fork():
        with sqlite_work():  # of this thread: SQLite itself is not at work while Python runs
            child = os.fork()
            if child == 0:
                with sqlite_work():
                    os._exit(0)
            forked.status = os.waitpid(child, 0)[1]
        forked.set()

    worker = threading.Thread(target=work)
    worker.start()
    assert working.wait(20)
    forker = threading.Thread(target=fork)
    forker.start()
    assert not forked.wait(0.2)
    may_end.set()

    assert forked.wait(20)
    assert forked.status == 0
    for thread in (worker, forker):
        thread.join(20)


def test_an_error_ends_the_work():
    with pytest.raises(ValueError, match="mine"), sqlite_work():
        raise ValueError("mine")

    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
