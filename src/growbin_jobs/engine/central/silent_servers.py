"""Breaks connections whose server says nothing in the middle of a statement: it is frozen, or its disk is.

The server's own statement timeout does not come then, TCP's keepalives are answered by its kernel, and a thread that
waits in libpq would wait for ever. Under gevent psycopg2's wait callback has a limit of its own. How long a server may
be silent is the attribute ``silence`` of its connection.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2 import extensions

from growbin_jobs.engine.processes import once_a_process

#: Where ``tcpi_last_data_sent`` and ``tcpi_last_data_recv`` stand in Linux's ``tcp_info``, in bytes (linux/tcp.h).
_LAST_SENT, _LAST_RECEIVED, _ENOUGH = 44, 52, 56


class SilentServers:
    """Looks at all connections of a process now and then.

    Parameters:
      pause: Seconds between two looks.
    """

    def __init__(self, pause: float) -> None:
        self._pause = pause
        self._of_process = once_a_process(self._start)

    def watch(self, connection: Any) -> None:
        """Look at a connection of psycopg2, too, for as long as it lives. Over TCP and on Linux only."""
        if sys.platform == "linux":
            lock, connections = self._of_process()
            with lock:
                connections.add(connection)

    def _start(self) -> tuple[threading.Lock, weakref.WeakSet[Any]]:
        watched = threading.Lock(), weakref.WeakSet[Any]()
        arguments = (weakref.ref(self), self._pause, *watched)
        threading.Thread(target=_run, args=arguments, name="silent-servers", daemon=True).start()
        return watched


def _run(
    owner: weakref.ref[SilentServers], pause: float, lock: threading.Lock, connections: weakref.WeakSet[Any]
) -> None:
    """Look until the owner has gone, or a process that opens and closes databases would have a thread more of each."""
    while owner() is not None:
        time.sleep(pause)
        _look(lock, connections)


def _look(lock: threading.Lock, connections: weakref.WeakSet[Any]) -> None:
    # A function of its own, so that the thread keeps no connection alive while it sleeps.
    with lock:
        found = list(connections)
    for connection in found:
        if _waits(connection):
            _break_if_silent(connection)


@contextmanager
def patient(connection: Any, seconds: float) -> Iterator[None]:
    """Let the server of a connection of psycopg2 be silent for longer, for statements that may take their time.

    Parameters:
      seconds: Longer than the statement timeout that is set for them.
    """
    before, connection.silence = connection.silence, seconds
    try:
        yield
    finally:
        connection.silence = before


def _waits(connection: Any) -> bool:
    return not connection.closed and connection.get_transaction_status() == extensions.TRANSACTION_STATUS_ACTIVE


def _break_if_silent(connection: Any) -> None:
    try:
        descriptor = os.dup(connection.fileno())
    except Exception:  # closed in this very moment
        return
    with socket.socket(fileno=descriptor) as its:
        try:
            facts = its.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ENOUGH)
            sent, received = (struct.unpack_from("I", facts, place)[0] for place in (_LAST_SENT, _LAST_RECEIVED))
            if min(sent, received) >= connection.silence * 1000 and _waits(connection):
                its.shutdown(socket.SHUT_RDWR)  # whoever waits in libpq is told that the connection is gone
        except (OSError, struct.error):  # no TCP, or gone
            return
