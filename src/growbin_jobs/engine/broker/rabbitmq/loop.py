"""pika's I/O loop, extended by what a forked child and a failed loop need of its sockets."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable

from pika.adapters.select_connection import IOLoop


class SocketLoop(IOLoop):  # type: ignore[misc]
    """pika's I/O loop, with a list of the sockets that it watches."""

    def __init__(self) -> None:
        self._sockets: set[int] = set()
        super().__init__()

    def add_handler(self, fd: int, handler: Callable[[int, int], None], events: int) -> None:
        self._sockets.add(fd)
        super().add_handler(fd, handler, events)

    def remove_handler(self, fd: int) -> None:
        self._sockets.discard(fd)
        super().remove_handler(fd)

    def sever(self) -> None:
        """Shut all connections down, so that pika and the server notice at once."""
        for fd in self._sockets:
            try:
                with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as duplicate:
                    duplicate.shutdown(socket.SHUT_RDWR)
            except OSError:  # already cut
                continue

    def replace_sockets(self, silent: socket.socket) -> None:
        """Let every descriptor of this loop stand for another socket; not a byte is read or written.

        For a forked child. A copy of a connection that it keeps would hold the connection open when the parent dies,
        and RabbitMQ would not deliver the parent's messages again before the heartbeats have run out.
        """
        for fd in self._sockets:
            with contextlib.suppress(OSError):
                os.dup2(silent.fileno(), fd, inheritable=False)

    def remove_handlers(self) -> None:
        """Stop watching all sockets, and end at the next turn."""
        for fd in tuple(self._sockets):
            self.remove_handler(fd)
        self.stop()
