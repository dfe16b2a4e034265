"""A worker process says that it lives, and a worker that is none says nothing. Real ones: integration/test_keeper."""

import os
import threading

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.brokers.stub import StubBroker

from growbin_jobs.engine.middleware import ensure_keeper as keeping
from growbin_jobs.engine.middleware.ensure_keeper import EnsureKeeper
from growbin_jobs.engine.node.election import Election
from growbin_jobs.engine.node.presence import present
from growbin_jobs.settings import load
from growbin_jobs.wiring import engine_config


@pytest.fixture
def keeper(tmp_path):
    config = engine_config(load(node=tmp_path.name, data_dir=tmp_path.parent, final_sync_timeout=1.0))
    return EnsureKeeper(config, lambda: config.source)


@pytest.fixture
def broker(keeper):
    made = StubBroker(middleware=[keeper])
    dramatiq.actor(lambda: None, broker=made, queue_name="vision_analysis", actor_name="a")
    dramatiq.actor(lambda: None, broker=made, queue_name="another", actor_name="b")
    yield made
    made.close()


def run(broker, **options):
    worker = Worker(broker, worker_threads=3, **options)
    worker.start()
    return worker


def test_dramatiq_is_asked_to_fork_a_keeper(tmp_path, keeper):
    [fork] = keeper.forks

    assert (fork.source, fork.folder) == ("growbin_jobs.app:engine", tmp_path)


def test_without_an_import_string_there_is_no_keeper_to_fork(tmp_path):
    config = engine_config(load(node=tmp_path.name, data_dir=tmp_path.parent))

    assert EnsureKeeper(config, lambda: None).forks == []


def test_a_worker_of_somebody_s_own_program_says_nothing(tmp_path, broker):
    worker = run(broker)

    assert present(tmp_path) == {}
    worker.stop()


@pytest.mark.parametrize(
    ("options", "group", "queues"),
    [
        ({}, "ai", ("another", "vision_analysis")),
        ({"queues": {"vision_analysis"}}, "ai", ("vision_analysis",)),
        ({"queues": {"another"}}, "other", ("another",)),
    ],
)
def test_a_worker_process_says_what_it_is(tmp_path, broker, options, group, queues):
    broker.emit_after("process_boot")
    worker = run(broker, **options)

    [found] = present(tmp_path).values()

    assert (found.pid, found.master, found.group) == (os.getpid(), os.getppid(), group)
    assert (found.threads, found.queues) == (3, queues)
    worker.stop()
    # Until the process ends, so that what it writes last is still waited for.
    assert len(present(tmp_path)) == 1


def test_a_worker_process_works_where_it_cannot_say_so(tmp_path, broker, caplog):
    (tmp_path / "workers").write_text("no folder")
    broker.emit_after("process_boot")

    worker = run(broker)

    assert "worker.not_announced" in caplog.text
    worker.stop()


def test_while_there_is_a_keeper_none_is_started(tmp_path, broker, monkeypatch):
    monkeypatch.setattr(keeping, "PATIENCE", 0.01)
    monkeypatch.setattr(keeping, "INTERVAL", 0.01)
    asked, started = [], []
    election = Election(tmp_path)
    election.win()

    def ask(folder):
        asked.append(folder)
        if len(asked) == 10:
            election.step_down()
        return found(folder)

    found = keeping.has_keeper
    monkeypatch.setattr(keeping, "has_keeper", ask)
    monkeypatch.setattr(EnsureKeeper, "_start_one", lambda self: started.append(len(asked)) or self._stopping.set())
    broker.emit_after("process_boot")
    worker = run(broker)

    for thread in keeping.threading.enumerate():
        if thread.name == "keeper-watch":
            thread.join(10)

    assert started == [11]  # missed twice
    worker.stop()


def test_while_the_keeper_that_it_has_started_lives_no_other_one_is_started(broker, monkeypatch):
    started, looks = [], threading.Semaphore(0)

    def start(self):  # one that lives, and serves a folder that is gone
        started.append(True)
        self._started = os.posix_spawn("/bin/sleep", ["sleep", "60"], {})

    def nobody(folder):
        looks.release()
        return False

    monkeypatch.setattr(keeping, "PATIENCE", 0.0)
    monkeypatch.setattr(keeping, "INTERVAL", 0.01)
    monkeypatch.setattr(keeping, "has_keeper", nobody)
    monkeypatch.setattr(EnsureKeeper, "_start_one", start)
    broker.emit_after("process_boot")
    worker = run(broker)

    for _ in range(12):
        assert looks.acquire(timeout=10)

    assert started == [True]
    worker.stop()
