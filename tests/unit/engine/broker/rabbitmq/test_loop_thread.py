"""A thread of pika's loop that cannot be started now is started by the next call; nothing of the first is run."""

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
