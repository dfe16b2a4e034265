import os
import threading
import time

from growbin_jobs.cli.ready import ReadyNotice
from growbin_jobs.engine.node.presence import Presence, WorkerProcess


def worker(folder, group, started_at):
    process = WorkerProcess(
        pid=os.getpid(), master=1, group=group, threads=1, queues=(), version="1", started_at=started_at
    )
    return Presence(folder, process)


def test_it_is_told_once_when_workers_of_all_groups_are_there(tmp_path):
    told = threading.Event()
    others = worker(tmp_path, "ai", time.time() - 100)  # of another `up`
    with ReadyNotice(tmp_path, ["storage", "ai"], told.set):
        storage = worker(tmp_path, "storage", time.time())
        assert not told.wait(0.5)
        ai = worker(tmp_path, "ai", time.time())
        assert told.wait(30)
    for presence in (others, storage, ai):
        presence.leave()


def test_it_ends_with_its_block_though_nobody_came(tmp_path):
    told = threading.Event()

    with ReadyNotice(tmp_path, ["storage"], told.set):
        pass

    assert not told.is_set()
    assert "ready-notice" not in [thread.name for thread in threading.enumerate()]
