"""A TCP link to a server that can be cut, held up and slowed down."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from urllib.parse import urlsplit, urlunsplit

from faults.wire import Direction, Wire


class Link:
    """Forwards connections to a server, on one port as long as it lives.

    Parameters:
      url: Of the server behind it.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        self._target = (parts.hostname, parts.port)
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._wires: set[Wire] = set()
        self._reads = parts.scheme.startswith("amqp")
        self._up = True
        self._flows: dict[Direction, threading.Event] = {"to": threading.Event(), "from": threading.Event()}
        self.latency = 0.0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.open()
        user = parts.netloc.rpartition("@")[0]
        place = f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}"
        self.url = urlunsplit(parts._replace(netloc=place))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def held(self) -> int:
        """How many messages RabbitMQ has handed out through this link that nobody has settled yet."""
        with self._lock:
            return sum(wire.held for wire in self._wires)

    def open(self) -> None:
        """Let everything through again."""
        self._up = True
        self.latency = 0.0
        for flow in self._flows.values():
            flow.set()

    def cut(self) -> None:
        """Reset the connections that are through; new ones are welcome."""
        with self._lock:
            ends, self._ends = self._ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                # RST and no FIN: nobody hears a farewell.
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def down(self) -> None:
        """Cut, and refuse new connections until :meth:`open`."""
        self._up = False
        self.cut()

    def stall(self, direction: Direction) -> None:
        """Hold back what goes ``to`` the server or comes ``from`` it. :meth:`cut` drops what was held back."""
        self._flows[direction].clear()

    def close(self) -> None:
        """End it."""
        self._listener.close()
        self.open()
        self.down()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self._up:
                    raise ConnectionRefusedError
                far = socket.create_connection(self._target)
            except OSError:
                near.close()
                continue
            for end in (near, far):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire() if self._reads else None
            with self._lock:
                self._ends |= {near, far}
                if wire:
                    self._wires.add(wire)
            for source, sink, direction in ((near, far, "to"), (far, near, "from")):
                threading.Thread(target=self._pump, args=(source, sink, direction, wire), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, direction: Direction, wire: Wire | None) -> None:
        flow = self._flows[direction]
        with contextlib.suppress(OSError, ValueError):
            while data := source.recv(65536):
                if self.latency:
                    time.sleep(self.latency)
                flow.wait()
                if wire and direction == "from":
                    wire.feed("from", data)
                sink.sendall(data)
                if wire and direction == "to":
                    wire.feed("to", data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            with self._lock:
                self._ends.discard(end)
                self._wires -= {wire}
            end.close()
