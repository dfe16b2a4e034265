"""Under gevent native threads log without ever taking a lock of gevent's; nothing is lost, and nobody hangs."""

import subprocess
import sys

import pytest

SETUP = """
from gevent import monkey; monkey.patch_all()
import logging, sys, threading, gevent
from growbin_jobs.engine.threads import native
early = logging.getLogger("early")
early.isEnabledFor(10)
get_ident, start = native("_thread", "get_ident"), native("_thread", "start_new_thread")
from growbin_jobs.engine.native_logging import install_native_logging

HUB = get_ident()
takers, lines = set(), []

class Yielding(logging.Handler):
    def acquire(self):
        takers.add(get_ident())
        super().acquire()
    def emit(self, record):
        gevent.sleep(0)  # as a handler that sends does, with its lock held
        lines.append(self.format(record))

logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[Yielding()])
before = logging._acquireLock
def acquire_of_module():
    takers.add(get_ident())
    before()
logging._acquireLock = acquire_of_module
install_native_logging()
install_native_logging()
"""

LOAD = (
    SETUP
    + """
late = logging.getLogger("late")

def native_thread(number):
    for n in range(200):
        (early, late, logging.getLogger())[n % 3].info("native %d %d", number, n)
        late.debug("not shown")
        if n % 50 == 0:
            try:
                raise ValueError("of the native thread")
            except ValueError:
                early.exception("failed %d", number)

def greenlet(number):
    for n in range(200):
        late.info("greenlet %d %d", number, n)

for number in range(6):
    start(native_thread, (number,))
greenlets = [gevent.spawn(greenlet, number) for number in range(6)]
with gevent.Timeout(60):
    gevent.joinall(greenlets, raise_error=True)
    while len(lines) < 6 * 200 * 2 + 6 * 4:
        gevent.sleep(0.01)
logging._acquireLock = before
assert takers == {HUB}, takers
assert sum("ValueError: of the native thread" in line for line in lines) == 24
for number in range(6):
    own = [line for line in lines if line.startswith(f"native {number} ")]
    assert own == [f"native {number} {n}" for n in range(200)], own[:5]
print("done", flush=True)
"""
)

POOL = (
    SETUP
    + """
from gevent.threadpool import ThreadPool
pool = ThreadPool(4)
for n in range(50):
    pool.spawn(logging.getLogger("library").warning, "pool %d", n)
with gevent.Timeout(60):
    while len(lines) < 50:
        gevent.sleep(0.01)
logging._acquireLock = before
assert takers == {HUB}
print("done", flush=True)
"""
)

AT_EXIT = (
    SETUP
    + """
logging.getLogger().handlers[0].emit = lambda record: print(record.getMessage(), flush=True)
done = native("_thread", "allocate_lock")()
done.acquire()
def native_thread():
    early.warning("done")
    done.release()
start(native_thread, ())
done.acquire()  # the hub does not run any more
"""
)

FORKED = (
    SETUP
    + """
import os
early.info("parent")
child = os.fork()
if child == 0:
    done = []
    def native_thread():
        early.warning("child")
        done.append(1)
    early.info("first")
    start(native_thread, ())
    with gevent.Timeout(30):
        while "child" not in lines:
            gevent.sleep(0.01)
    os._exit(0 if takers - {HUB} == set() else 1)
assert os.waitpid(child, 0)[1] == 0
print("done", flush=True)
"""
)


@pytest.mark.parametrize("program", [LOAD, POOL, AT_EXIT, FORKED], ids=["load", "threadpool", "at exit", "forked"])
def test_native_threads_log_through_a_greenlet(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=100)

    assert (done.stdout, done.stderr) == ("done\n", "")


WITHOUT = """
import logging
from growbin_jobs.engine.native_logging import install_native_logging
install_native_logging()
assert type(logging.getLogger("x")) is logging.Logger
assert type(logging.root) is logging.RootLogger
print("done")
"""


def test_without_gevent_nothing_is_changed():
    done = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False, timeout=100)

    assert (done.stdout, done.stderr) == ("done\n", "")


LEVELS = """
from gevent import monkey; monkey.patch_all()
import logging
from growbin_jobs.engine.native_logging import install_native_logging
from growbin_jobs.engine.threads import native

install_native_logging()
logger = logging.getLogger("a.b")
answers, done = [], native("_thread", "allocate_lock")()


def ask():
    answers.append(tuple(logger.isEnabledFor(level) for level in (logging.DEBUG, logging.INFO, logging.ERROR)))
    done.release()


def asked_in_a_native_thread():
    done.acquire()
    native("_thread", "start_new_thread")(ask, ())
    while not done.acquire(False):
        __import__("gevent").sleep(0)
    done.release()
    return answers[-1]


logging.root.setLevel(logging.INFO)
assert asked_in_a_native_thread() == (False, True, True)
assert asked_in_a_native_thread() == (False, True, True)  # from what is known by now
logging.getLogger("a").setLevel(logging.DEBUG)
assert asked_in_a_native_thread() == (True, True, True)
logging.disable(logging.INFO)
assert asked_in_a_native_thread() == (False, False, True)
logger.disabled = True
assert asked_in_a_native_thread() == (False, False, False)
print("ok")
"""


def test_native_threads_know_of_levels_that_change():
    done = subprocess.run([sys.executable, "-c", LEVELS], capture_output=True, text=True, timeout=60, check=False)

    assert (done.stdout, done.returncode) == ("ok\n", 0), done.stderr
