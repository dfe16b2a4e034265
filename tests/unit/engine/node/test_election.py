"""One keeper a folder, said by the kernel; and which workers live there."""

import os
import threading

import pytest

from growbin_jobs.engine.keeper.lifetime import ENOUGH, KeeperLifetime
from growbin_jobs.engine.node import repeated_signals
from growbin_jobs.engine.node.election import Election, has_keeper, keeper_pid, lock_file
from growbin_jobs.engine.node.presence import Presence, WorkerProcess, present


def process(**changes):
    facts = {"pid": 5, "master": 1, "group": "ai", "threads": 2, "queues": ("q",), "version": "1", "started_at": 1.5}
    return WorkerProcess(**facts | changes)


def test_one_candidate_wins(tmp_path):
    first, second = Election(tmp_path), Election(tmp_path)

    assert not has_keeper(tmp_path)
    assert first.win_now()
    assert not second.win_now()
    assert has_keeper(tmp_path)
    assert keeper_pid(tmp_path) == os.getpid()


def test_who_stands_by_takes_over(tmp_path):
    first, second = Election(tmp_path), Election(tmp_path)
    first.win()
    won = threading.Event()
    waiter = threading.Thread(target=lambda: (second.win(), won.set()), daemon=True)
    waiter.start()
    assert not won.is_set()

    first.step_down()

    assert won.wait(10)
    assert has_keeper(tmp_path)
    second.step_down()
    second.step_down()
    assert keeper_pid(tmp_path) is None


def test_a_lock_on_a_file_that_was_removed_makes_no_keeper(tmp_path):
    old = Election(tmp_path)
    old.win()
    lock_file(tmp_path).unlink()

    new = Election(tmp_path)

    assert not has_keeper(tmp_path)
    assert new.win_now()
    assert has_keeper(tmp_path)


def test_workers_are_present_until_they_leave(tmp_path):
    one, other = Presence(tmp_path, process()), Presence(tmp_path, process(pid=6))
    assert sorted(found.pid for found in present(tmp_path).values()) == [5, 6]

    one.leave()
    one.leave()

    assert list(present(tmp_path).values()) == [process(pid=6)]
    other.leave()


def test_the_first_worker_makes_the_folders(tmp_path):
    node = tmp_path / "data" / "n1"

    worker = Presence(node, process())

    assert list(present(node).values()) == [process()]
    worker.leave()


def test_a_worker_that_has_not_said_yet_what_it_is_lives(tmp_path):
    worker = Presence(tmp_path, process())
    [name] = present(tmp_path)
    (tmp_path / "workers" / name).write_text('{"pid": ')

    assert present(tmp_path) == {name: None}
    worker.leave()


def test_a_killed_worker_is_gone(tmp_path):
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        Presence(tmp_path, process())
        os.write(tell, b"!")
        threading.Event().wait()
    os.read(told, 1)
    assert len(present(tmp_path)) == 1

    os.kill(pid, 9)
    os.waitpid(pid, 0)

    assert present(tmp_path) == {}


def test_a_child_of_a_worker_does_not_keep_it_alive(tmp_path):
    worker = Presence(tmp_path, process())
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(tell, b"!")
        threading.Event().wait()
    os.read(told, 1)

    worker.abandon()  # as if it had died

    assert present(tmp_path) == {}
    os.kill(pid, 9)
    os.waitpid(pid, 0)


# --- how long it serves


@pytest.fixture
def term(tmp_path):
    return KeeperLifetime(tmp_path, os.getppid())


def test_a_term_lasts_until_it_is_told_to_end(term):
    assert not term.is_over()
    term._tell(15, None)
    assert term.is_over()


def test_a_term_lasts_as_long_as_its_own_workers(tmp_path, term, monkeypatch):
    monkeypatch.setattr(repeated_signals, "MOMENT", 0.0)
    own = Presence(tmp_path, process(master=os.getppid()))
    others = Presence(tmp_path, process(master=1))
    for _ in range(ENOUGH):
        term._tell(15, None)
        assert not term.is_over()
    assert term.hurried

    own.leave()

    assert term.is_over()
    assert term.others_work()
    others.leave()
    assert not term.others_work()


def test_workers_that_come_after_a_reload_are_not_waited_for(tmp_path, term):
    old = Presence(tmp_path, process(master=os.getppid()))
    term._tell(1, None)
    assert not term.is_over()
    new = Presence(tmp_path, process(master=os.getppid()))

    old.leave()

    assert term.is_over()
    assert term.others_work()
    new.leave()


def test_a_term_ends_with_its_dramatiq(tmp_path):
    told, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.read(told, 1)
        os._exit(0)
    term = KeeperLifetime(tmp_path, pid)
    assert not term.is_over()

    os.write(tell, b"!")
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # it stays a zombie: nobody has asked for its end yet

    assert term.is_over()
    os.waitpid(pid, 0)
