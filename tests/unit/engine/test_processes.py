import gc
import os
import threading
import weakref

import pytest

from growbin_jobs.engine.processes import fork_lock, once_a_process, watch_forks


def test_all_threads_get_the_one_value():
    made = []
    get = once_a_process(lambda: made.append(object()) or made[-1])
    found = []
    threads = [threading.Thread(target=lambda: found.append(get())) for _ in range(20)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert set(map(id, found)) == {id(made[0])}


def test_a_forked_child_makes_its_own():
    get = once_a_process(os.getpid)
    assert get() == os.getpid()
    reader, writer = os.pipe()

    child = os.fork()
    if child == 0:
        os.write(writer, str(get()).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert int(os.read(reader, 100)) == child


def test_a_child_forked_while_the_value_is_being_made_does_not_hang():
    making, go_on = threading.Event(), threading.Event()

    def make():
        if not making.is_set():
            making.set()
            go_on.wait()
        return os.getpid()

    get = once_a_process(make)
    thread = threading.Thread(target=get)
    thread.start()
    making.wait()

    child = os.fork()
    if child == 0:
        os._exit(0 if get() == os.getpid() else 1)
    _, status = os.waitpid(child, 0)
    go_on.set()
    thread.join()

    assert os.waitstatus_to_exitcode(status) == 0


def test_what_failed_is_tried_anew():
    outcomes = iter([RuntimeError("away"), "there"])

    def make():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    get = once_a_process(make)
    with pytest.raises(RuntimeError):
        get()

    assert get() == "there"


def test_what_nobody_has_any_more_is_let_go():
    class Connection:
        pass

    get = once_a_process(Connection)
    connection = weakref.ref(get())

    del get
    gc.collect()

    assert connection() is None


class Watched:
    def __init__(self, *, fails):
        self.calls = []
        self._fails = fails
        with fork_lock:
            watch_forks(self)

    def pause(self):
        self.calls.append("pause")

    def resume(self):
        self._call("resume")

    def abandon(self):
        self._call("abandon")

    def _call(self, name):
        self.calls.append(name)
        if self._fails:
            raise OSError("it was closed before")


def test_a_hook_that_fails_keeps_no_other_from_its_turn(capfd):
    watched = [Watched(fails=number == 1) for number in range(3)]

    child = os.fork()
    if child == 0:
        os._exit(0 if all(each.calls == ["pause", "abandon"] for each in watched) and not fork_lock.locked() else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert [each.calls for each in watched] == [["pause", "resume"]] * 3
    assert not fork_lock.locked()
    assert capfd.readouterr().err.count("OSError: it was closed before") == 2
