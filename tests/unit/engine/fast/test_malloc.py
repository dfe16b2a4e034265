"""One arena for all threads of a worker, and memory that goes back when nothing needs it."""

import ctypes
import resource
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

#: Asks for 24 MB in three pieces and frees them, 20 times; prints the page faults of that, and the MB that are resident
#: then and after free memory has gone back.
FAULTS = """
import ctypes, resource, threading
from growbin_jobs.engine.fast.malloc import FreeMemory

memory = FreeMemory(idle=0.05)
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]

def use():
    pieces = [libc.malloc(8 << 20) for _ in range(3)]
    for piece in pieces:
        ctypes.memset(piece, 1, 8 << 20)
    for piece in pieces:
        libc.free(piece)

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize() >> 20

use(); use()
before = faults()
[use() for _ in range(20)]
print(faults() - before, resident(), end=" ")
memory.used()
[thread.join() for thread in threading.enumerate() if thread.name == "free-memory"]
print(resident())
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


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="this C library is not glibc")
@pytest.mark.parametrize("kept", [True, False])
def test_what_is_free_is_used_again_and_goes_back_when_nothing_happens(kept):
    code = FAULTS if kept else FAULTS.replace("FreeMemory(idle=0.05)", "FreeMemory(idle=0.05, trim=lambda: None)")
    said = subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True).stdout
    faults, busy, idle = map(int, said.split())
    pages = (24 << 20) // resource.getpagesize()  # of one use
    assert (faults < pages) is kept
    assert (busy - idle > 12) is kept
