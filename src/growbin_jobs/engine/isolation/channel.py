"""What a worker and its isolation process say to each other: frames over a socket pair.

The worker sends messages, each with a number. The process says that it is ready, and for each message that it has ended
or is to be requeued. What has become of an ended one stands in the journal that both share.
"""

from __future__ import annotations

import os
import socket
import struct
from enum import Enum

_SENT = struct.Struct("!III")  # number, bytes of the queue's name, bytes of the body
_SAID = struct.Struct("!cI")


class Word(Enum):
    """What an isolation process says, a byte each, with the number of the message."""

    READY = b"r"
    ENDED = b"e"
    REQUEUE = b"q"


class Closed(Exception):
    """The other side is gone."""


class WorkerEnd:
    """The worker's end. For one thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = b""

    def send(self, number: int, queue_name: str, body: bytes) -> None:
        """Send a message.

        Raises:
          Closed: The process is gone.
        """
        name = queue_name.encode()
        self._connection.settimeout(None)
        try:
            self._connection.sendall(_SENT.pack(number, len(name), len(body)) + name + body)
        except OSError:
            raise Closed from None

    def hear(self, timeout: float) -> tuple[Word, int] | None:
        """Return what the process says next, or None when it says nothing for so many seconds.

        Raises:
          Closed: The process is gone.
        """
        self._connection.settimeout(timeout)
        while len(self._heard) < _SAID.size:
            try:
                part = self._connection.recv(_SAID.size - len(self._heard))
            except TimeoutError:
                return None
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            self._heard += part
        word, number = _SAID.unpack(self._heard)
        self._heard = b""
        return Word(word), number

    def close(self) -> None:
        """Let go of it: the process ends."""
        self._connection.close()


class ProcessEnd:
    """The isolation process's end.

    Parameters:
      descriptor: Of the socket that it has inherited.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)
        self._connection = socket.socket(fileno=descriptor)

    def say(self, word: Word, number: int = 0) -> None:
        """Tell the worker; from any thread, since so few bytes are sent at once.

        Raises:
          Closed: The worker is gone.
        """
        try:
            self._connection.sendall(_SAID.pack(word.value, number))
        except OSError:
            raise Closed from None

    def receive(self) -> tuple[int, str, bytes]:
        """Wait for a message and return its number, its queue and its body.

        Raises:
          Closed: The worker is gone.
        """
        number, name, body = _SENT.unpack(self._exactly(_SENT.size))
        return number, self._exactly(name).decode(), self._exactly(body)

    def _exactly(self, size: int) -> bytes:
        parts = []
        while size:
            try:
                part = self._connection.recv(min(size, 1 << 20))
            except OSError:
                raise Closed from None
            if not part:
                raise Closed
            parts.append(part)
            size -= len(part)
        return b"".join(parts)
