"""A thread that runs one of pika's I/O loops, and calls that other threads give it."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from growbin_jobs.engine.broker.errors import BrokerUnavailable
from growbin_jobs.engine.broker.rabbitmq.loop import SocketLoop
from growbin_jobs.engine.threads import gevent_active

logger = logging.getLogger(__name__)

_started: weakref.WeakSet[LoopThread] = weakref.WeakSet()

#: What the descriptors of a parent's connections stand for in its forked children: a socket on which nothing happens.
_silent: list[socket.socket] = []

#: Calls run in one turn of the loop. Under gevent a turn holds up every other greenlet.
CALLS_A_TURN = 64


class LoopThread:
    """A thread that starts at the first call and, whatever fails in it, goes on until it is closed.

    Where gevent has patched :mod:`threading` it is a greenlet. A subclass says what happens on the thread.

    Parameters:
      label: What it is for; shown in logs and in the thread's name.

    Attributes:
      closing: True from the beginning of the end.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.closing = False
        self._calls: deque[Callable[[], None]] = deque()
        self._woken = False
        self._start_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: SocketLoop
        self._ended = False
        _started.add(self)

    # --- from any thread

    def call(self, what: Callable[[], None]) -> None:
        """Run something on the thread, soon and in the order of the calls.

        Raises:
          BrokerUnavailable: The thread cannot be started now; nothing will be run.
        """
        self._calls.append(what)
        if self._thread is None:
            try:
                self._start()
            except BrokerUnavailable:
                with suppress(ValueError):  # another caller may have started it meanwhile, and it has run
                    self._calls.remove(what)
                raise
        if not self._woken:
            self._woken = True
            self._loop.add_callback_threadsafe(self._run_calls)
        if self._ended:  # the thread runs no calls any more: run it here, where it is refused
            self._run_calls()

    def abandon(self) -> None:
        """End, in a forked child under gevent, where this greenlet lives on; its connections are the parent's."""
        if self._thread is not None:
            self.closing = True
            self._loop.remove_handlers()

    def _end(self, last: Callable[[], None], timeout: float) -> None:
        """Run a last call, which has to stop the loop, and wait for the thread; none if there is no thread.

        Parameters:
          timeout: Seconds to wait.
        """
        with self._start_lock:
            thread = self._thread
        if thread is None or not thread.is_alive():
            return
        self.call(last)
        thread.join(timeout)

    def _start(self) -> None:
        with self._start_lock:
            if self._thread is None:
                self._loop = SocketLoop()
                self._loop.add_callback_threadsafe(self._on_start)
                thread = threading.Thread(target=self._serve, name=f"amqp-{self.label}", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # no memory for its stack, or too many processes of this user
                    self._loop.close()
                    raise BrokerUnavailable(f"No thread can be started for {self.label}: {error}.") from error
                self._thread = thread

    # --- on the thread

    def _on_start(self) -> None:
        raise NotImplementedError

    def _on_failure(self) -> None:
        """Go on after an unexpected error: all sockets have been cut."""
        raise NotImplementedError

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Run something after a while. Of the thread only."""
        self._loop.call_later(seconds, what)

    def _serve(self) -> None:
        while True:
            try:
                self._loop.start()
                break
            except Exception:
                if self.closing:
                    break
                # A bug, ours or pika's. Whoever waits must not wait for ever, so begin again with a new connection.
                logger.exception("amqp.loop_failed connection=%s", self.label)
                self._loop.sever()
                self._loop.add_callback_threadsafe(self._run_calls)
                self._on_failure()
                time.sleep(1.0)
        self._loop.close()
        self._ended = True
        self._run_calls()

    def _run_calls(self) -> None:
        self._woken = False  # before the first popleft: whoever appends from now on wakes us again
        for _ in range(CALLS_A_TURN):
            try:
                what = self._calls.popleft()
            except IndexError:
                return
            what()
        self._woken = True
        self._loop.add_callback_threadsafe(self._run_calls)


def waker(wake: Callable[[], None]) -> tuple[Callable[[], None], Callable[[], None]]:
    """Return ``wake``, which gives a loop's thread a call, in a form that native threads may call, and what ends it.

    pika's loop is a greenlet where gevent is, and only the hub's own thread may wake that.
    """
    if not gevent_active():
        return wake, lambda: None
    from gevent import get_hub

    watcher = get_hub().loop.async_(ref=False)
    watcher.start(wake)
    return watcher.send, watcher.stop  # never closed: a late send to a closed one may crash


def _let_go_of_connections() -> None:
    """In a forked child: the parent's connections must end with the parent, whoever lives longer."""
    loops = [loop for thread in _started if (loop := getattr(thread, "_loop", None)) is not None]
    if not loops:  # most processes that fork have none, and under gevent a socket makes a hub
        return
    silent, other = socket.socketpair()
    _silent.extend((silent, other))
    for loop in loops:
        loop.replace_sockets(silent)


os.register_at_fork(after_in_child=_let_go_of_connections)
