"""One arena for all threads of a worker, and memory that goes back when nothing needs it."""

import subprocess
import sys
import threading

import pytest

from growbin_jobs.engine.fast.malloc import FreeMemory

#: Prints how many arenas glibc says there are after eight threads have asked for memory at the same time.
ARENAS = """
import ctypes, threading
from dramatiq.brokers.stub import StubBroker
from growbin_jobs.engine.fast.malloc import OneArena

StubBroker(middleware=[OneArena()]).emit_after("process_boot")
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
all_here = threading.Barrier(8)

def ask():
    all_here.wait()
    libc.malloc(ctypes.c_size_t(1000))
    all_here.wait()

threads = [threading.Thread(target=ask) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen(b"/dev/stdout", b"w"))
libc.malloc_info(0, file)
libc.fflush(file)
"""


@pytest.mark.parametrize(("tuned", "one"), [(True, True), (False, False)])
def test_all_threads_share_one_arena(tuned, one):
    code = ARENAS if tuned else ARENAS.replace("OneArena()", "")
    said = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
    if "<heap nr=" not in said:
        pytest.skip("this C library is not glibc")
    assert (said.count("<heap nr=") == 1) is one


def test_free_memory_goes_back_once_after_the_last_use():
    went, uses = threading.Event(), []

    def trim():
        uses.append(threading.current_thread().name)
        went.set()

    memory = FreeMemory(idle=0.05, trim=trim)
    for _ in range(20):
        memory.used()
    assert went.wait(10)
    assert uses == ["free-memory"]

    went.clear()
    memory.used()
    assert went.wait(10)
    assert len(uses) == 2
