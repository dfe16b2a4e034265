"""Waiting for the end of processes."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from growbin_jobs.engine.supervision.ends import Ends

LONG = 60.0


@pytest.fixture
def child():
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def ends():
    return Ends()


@pytest.fixture(params=[True, False], ids=["pidfd", "blind"])
def told(request, monkeypatch):
    """With and without a system that tells of ends."""
    if not request.param:
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    elif not hasattr(os, "pidfd_open"):
        pytest.skip("this system has no pidfd_open")
    return request.param


def test_an_end_is_seen_at_once_also_when_nobody_has_waited_for_the_process_yet(ends, child, told):
    began = time.monotonic()
    threading.Timer(0.05, child.send_signal, [signal.SIGKILL]).start()
    while child.poll() is None:
        ends.wait([child.pid], LONG)
    ends.wait([], 0)
    assert time.monotonic() - began < LONG


def test_what_ended_before_the_wait_ends_it(ends, child, told):
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended and is not reaped
    began = time.monotonic()
    for _ in range(3):
        ends.wait([child.pid], LONG)
    child.wait()
    ends.wait([child.pid], 0)  # gone: there is nothing to watch
    assert time.monotonic() - began < LONG


def test_a_wake_up_before_the_wait_is_not_lost(ends, child):
    for _ in range(100_000):
        ends.wake()
    began = time.monotonic()
    ends.wait([child.pid], LONG)
    assert time.monotonic() - began < LONG


def test_a_signal_handler_ends_a_wait(ends, child):
    before = signal.signal(signal.SIGUSR1, lambda *_: ends.wake())
    try:
        began = time.monotonic()
        threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGUSR1]).start()
        ends.wait([child.pid], LONG)
        assert time.monotonic() - began < LONG
    finally:
        signal.signal(signal.SIGUSR1, before)
