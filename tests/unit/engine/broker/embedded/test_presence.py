"""Owners and wakeups: who lives, and who is woken."""

import os
import select
import threading
from pathlib import Path

from growbin_jobs.engine.node.process_lock import ProcessLock, find_dead, known
from growbin_jobs.engine.node.wakeups import WakeupFifo, wake_all


def test_a_living_process_is_not_found_dead(tmp_path: Path) -> None:
    owner = ProcessLock(tmp_path)
    assert known(tmp_path) == {owner.name}
    assert find_dead(tmp_path) == []
    owner.leave()
    assert known(tmp_path) == set()


def test_a_dead_process_is_found_by_one_at_a_time_until_it_is_buried(tmp_path: Path) -> None:
    owner = ProcessLock(tmp_path)
    owner.let_go()  # what the kernel does when it dies
    [dead] = find_dead(tmp_path)
    assert dead.name == owner.name
    assert find_dead(tmp_path) == []
    dead.release()
    [dead] = find_dead(tmp_path)
    dead.remove()
    assert find_dead(tmp_path) == []
    assert known(tmp_path) == set()


def test_nobody_is_dead_in_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    assert find_dead(tmp_path / "missing") == []
    assert known(tmp_path / "missing") == set()


def test_files_of_owners_are_private(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "owners"
    owner = ProcessLock(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / owner.name).stat().st_mode & 0o777 == 0o600
    owner.leave()


def test_a_ring_before_the_wait_is_not_lost(tmp_path: Path) -> None:
    wakeup = WakeupFifo(tmp_path, "vision")
    wake_all(tmp_path, ["text", "vision"])
    wakeup.wait(3600)
    wakeup.close()


def test_a_ring_ends_a_wait(tmp_path: Path) -> None:
    wakeup = WakeupFifo(tmp_path, "vision")
    waiting = threading.Thread(target=wakeup.wait, args=(3600,))
    waiting.start()
    wakeup.wake()
    waiting.join(20)
    assert not waiting.is_alive()
    wakeup.close()


def test_other_queues_are_not_woken(tmp_path: Path) -> None:
    wakeups = {name: WakeupFifo(tmp_path, name) for name in ("a", "a.b", "a@b", "a%40", "", "가/나", "q" * 300)}
    for name, wakeup in wakeups.items():
        wake_all(tmp_path, [name])
        rung = {other for other, each in wakeups.items() if _has_rung(each)}
        assert rung == {name}
        wakeup.wait(0)
        assert not _has_rung(wakeup)
    for wakeup in wakeups.values():
        wakeup.close()
    assert list(tmp_path.iterdir()) == []


def _has_rung(wakeup: WakeupFifo) -> bool:
    poll = select.poll()
    poll.register(wakeup._reader, select.POLLIN)
    return bool(poll.poll(0))


def test_a_bell_that_nobody_reads_is_taken_down(tmp_path: Path) -> None:
    wakeup = WakeupFifo(tmp_path, "vision")
    os.close(wakeup._reader)  # what the kernel does when its process dies
    os.close(wakeup._writer)
    wake_all(tmp_path, ["vision"])
    assert list(tmp_path.iterdir()) == []


def test_ringing_more_often_than_the_pipe_holds_does_not_block(tmp_path: Path) -> None:
    wakeup = WakeupFifo(tmp_path, "vision")
    for _ in range(70_000):
        wakeup.wake()
    wakeup.close()
    wakeup.wake()
    wakeup.close()


def test_ringing_in_a_folder_that_does_not_exist_is_nothing(tmp_path: Path) -> None:
    wake_all(tmp_path / "missing", ["vision"])
    assert not (tmp_path / "missing").exists()


def test_a_close_ends_a_wait_and_leaves_no_descriptor_open(tmp_path: Path) -> None:
    wakeup, began = WakeupFifo(tmp_path, "vision"), threading.Event()
    before = len(os.listdir("/proc/self/fd"))
    found: list[bool] = []

    def wait() -> None:
        began.set()
        found.append(wakeup.wait(3600))

    waiting = threading.Thread(target=wait)
    waiting.start()
    assert began.wait(20)
    wakeup.close()
    waiting.join(20)
    assert found == [True]
    assert len(os.listdir("/proc/self/fd")) == before - 2
    assert wakeup.wait(3600), "closed"
