"""pika's I/O loop, and the futures through which its thread answers others."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, Protocol, TypeVar

from pika.adapters.select_connection import IOLoop

T = TypeVar("T")


class Promise(Protocol):
    """What a publication settles: a future, or something lighter where nobody waits."""

    def done(self) -> bool:
        """Is it settled, or does nobody want to know any more?"""

    def set_result(self, value: None, /) -> None:
        """Settle it well."""

    def set_exception(self, error: BaseException | None, /) -> None:
        """Settle it badly."""


class SocketLoop(IOLoop):  # type: ignore[misc]
    """pika's loop, which knows the sockets of its connections."""

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
        """Cut all connections, so that pika and the server notice at once."""
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

    def forget_handlers(self) -> None:
        """Watch no socket any more and end at the next turn."""
        for fd in tuple(self._sockets):
            self.remove_handler(fd)
        self.stop()


def resolve(future: Future[T] | Promise, value: T) -> bool:
    """Give a future its result, unless its owner has stopped waiting. Return whether it was taken."""
    try:
        future.set_result(value)  # type: ignore[arg-type]
    except InvalidStateError:
        return False
    return True


def reject(future: Future[Any] | Promise, error: BaseException) -> None:
    """Give a future an error, unless its owner has stopped waiting."""
    try:
        future.set_exception(error)
    except InvalidStateError:
        return
