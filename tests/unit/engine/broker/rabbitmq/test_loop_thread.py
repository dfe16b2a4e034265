"""A thread of pika's loop that cannot be started now is started by the next call; what a fork does to its sockets."""

import subprocess
import sys
import threading

import pytest

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq.loop_thread import LoopThread


class Idle(LoopThread):
    """Runs calls, and connects to nothing."""

    def _on_start(self) -> None:
        pass

    def _on_failure(self) -> None:
        pass

    def close(self) -> None:
        self._end(lambda: self._loop.stop(), 10.0)


def test_a_thread_that_cannot_be_started_is_started_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    thread, ran, done = Idle("a test"), [], threading.Event()

    def no_memory(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_memory)
        with pytest.raises(BrokerUnavailable, match="can't start new thread"):
            thread.call(lambda: ran.append("refused"))

    thread.call(lambda: (ran.append("taken"), done.set()))

    assert done.wait(20)
    assert ran == ["taken"]
    thread.close()


FORKED_TWICE = """
import os, socket
from growbin_jobs.engine.broker.rabbitmq import loop_thread

class Loop:
    def replace_sockets(self, silent):
        silent.send(b"!")  # not to whoever has the number of a socket that is closed

class Thread:
    _loop = Loop()

if os.fork() == 0:
    os.closerange(3, 64)  # as a process does that is forked and not executed
    other, mine = socket.socketpair()
    other.setblocking(False)
    kept = [socket.socketpair() for _ in range(4)]
    thread = Thread()
    loop_thread._started.add(thread)
    child = os.fork()
    if child == 0:
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    heard = 0
    for each in [other, mine, *(one for pair in kept for one in pair)]:
        each.setblocking(False)
        try:
            heard += len(each.recv(1))
        except BlockingIOError:
            pass
    os._exit(code or heard)
print(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_child_of_a_forked_process_speaks_into_nobody_s_socket():
    done = subprocess.run([sys.executable, "-c", FORKED_TWICE], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "0"
