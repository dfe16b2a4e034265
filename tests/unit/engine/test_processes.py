import gc
import os
import select
import signal
import subprocess
import sys
import threading
import weakref
from contextlib import suppress

import pytest
from tests.command_line import run_python

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


def test_a_hook_that_fails_keeps_no_other_from_its_turn(capfd, monkeypatch):
    # Parent and child say it at the same time, each in one piece.
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, _: os.write(2, f"{kind.__name__}: {error}\n".encode()))
    watched = [Watched(fails=number == 1) for number in range(3)]

    child = os.fork()
    if child == 0:
        os._exit(0 if all(each.calls == ["pause", "abandon"] for each in watched) and not fork_lock.locked() else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert [each.calls for each in watched] == [["pause", "resume"]] * 3
    assert not fork_lock.locked()
    assert capfd.readouterr().err.count("OSError: it was closed before") == 2


_POOLS = """
import multiprocessing
import os

import dramatiq
from growbin_jobs.engine import Engine, EngineConfig

engine = Engine(EngineConfig.from_env("SHOP_")).install()


@dramatiq.actor(max_retries=0)
def use_a_pool():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(abs, range(4))
    os.write(int(os.environ["SAID"]), b"x")
"""


def test_a_pool_of_processes_in_an_actor_comes_to_its_end(tmp_path):
    """It ends its processes by SIGTERM, which they got from their worker as a request to finish its messages."""
    (tmp_path / "shop.py").write_text(_POOLS)
    said, saying = os.pipe()
    environment = os.environ | {
        "SHOP_DATA_DIR": str(tmp_path / "data"), "SHOP_NODE": "n1", "SAID": str(saying),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip
    send = "import shop\nfor _ in range(20): shop.use_a_pool.send()"
    own = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    run_python([sys.executable, "-c", send], cwd=tmp_path, env=own, check=True, timeout=60)
    worker = subprocess.Popen(
        [sys.executable, "-m", "dramatiq", "-p1", "-t4", "shop"], cwd=tmp_path, env=environment, pass_fds=[saying],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        ended = b""
        while len(ended) < 20 and select.select([said], [], [], 60.0)[0]:
            ended += os.read(said, 20)
        assert len(ended) == 20
        worker.terminate()
        assert worker.wait(60) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        os.close(said)
        os.close(saying)


#: No thread ever asks another one to give up the interpreter: a child of such a moment would wait for it for ever.
UNSEEN = """
import ctypes, os, sys
sys.setswitchinterval(1000)
from pathlib import Path
from growbin_jobs.engine import Engine, EngineConfig
from growbin_jobs.engine.errors import ConfigurationError
engine = Engine(EngineConfig(data_dir=Path(sys.argv[1]), node="n"))
away = Engine(EngineConfig(data_dir=Path(sys.argv[1]), node="n", broker_url="amqp://127.0.0.1:1/"))
actor, far = (each.actor(lambda: None, actor_name="one") for each in (engine, away))
actor.send(), far.send(), engine.central()
fork = ctypes.PyDLL(None).fork
if (child := fork()) == 0:
    for use in (actor.send, far.send, engine.central):
        try: use()
        except ConfigurationError as error: print(error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
if (child := os.fork()) == 0:  # this one Python knows of
    actor.send(), far.send(), engine.central()
    print("well", flush=True)
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


def test_a_child_that_python_was_not_told_of_is_told_so_before_it_waits_for_its_parents_threads(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", UNSEEN, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout.count("set py-call-uwsgi-fork-hooks=true") == 3, done
    assert done.stdout.endswith("well\n")
