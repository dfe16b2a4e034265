"""Endpoints that misbehave, each on a path of one server: for tests of health checks.

``/ok``, ``/503``, ``/redirect`` (to a cloud's metadata address), ``/hang`` (no answer), ``/drip`` (a byte at a time,
without end), ``/huge`` (a body without end), ``/reset`` (the connection breaks), ``/stall`` (half of the body),
``/nonsense`` (no HTTP), ``/heads`` (headers without end). What hangs is let go by :meth:`AgentZoo.close`.
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

METADATA = "http://169.254.169.254/latest/meta-data/"


class AgentZoo:
    """A server on a free port of 127.0.0.1.

    Attributes:
      url: Its address.
      hits: Requests by path.
      sent: Bytes of bodies without end that were taken.
      headers: Headers of the last request.
      models: Status of ``GET /v1/models/{name}`` by name; those with 200 are in the list ``GET /v1/models``.
      chat: Status of ``POST /v1/chat/completions``.
    """

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.sent = 0
        self.headers: dict[str, str] = {}
        self.models: dict[str, int] = {}
        self.chat = 200
        self.over = threading.Event()
        zoo = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                zoo.answer(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("content-length") or 0))
                zoo.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: Any) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """End the server and whatever hangs."""
        self.over.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path
        self.hits[path] += 1
        self.headers = {name.lower(): value for name, value in request.headers.items()}
        with contextlib.suppress(OSError):
            if path.startswith("/v1/"):
                self._model(request, path)
            else:
                self._behaviour(path.split("/")[1])(request)

    def _behaviour(self, name: str) -> Callable[[BaseHTTPRequestHandler], None]:
        if name.isdigit():
            return lambda request: say(request, int(name))
        return {
            "redirect": lambda request: say(request, 302, location=METADATA),
            "hang": lambda _: self.over.wait(),
            "drip": self._drip,
            "huge": self._huge,
            "reset": reset,
            "stall": self._stall,
            "nonsense": lambda request: request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n"),
            "heads": self._heads,
        }.get(name, lambda request: say(request, 200))

    def _model(self, request: BaseHTTPRequestHandler, path: str) -> None:
        if path == "/v1/chat/completions":
            say(request, self.chat)
        elif path == "/v1/models":
            rows = [{"id": name} for name, status in self.models.items() if status == 200]
            say(request, 200, body=json.dumps({"data": rows}).encode())
        else:
            say(request, self.models.get(path.rpartition("/")[2], 404))

    def _drip(self, request: BaseHTTPRequestHandler) -> None:
        begin(request, 200, {})
        while not self.over.wait(0.05):
            request.wfile.write(b".")

    def _stall(self, request: BaseHTTPRequestHandler) -> None:
        begin(request, 200, {"content-length": "100"})
        request.wfile.write(bytes(50))
        self.over.wait()

    def _heads(self, request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self.over.is_set():
            request.wfile.write(b"x-more: " + b"y" * 4096 + b"\r\n")

    def _huge(self, request: BaseHTTPRequestHandler) -> None:
        begin(request, 200, {})
        while not self.over.is_set():
            request.wfile.write(bytes(65_536))
            self.sent += 65_536


def begin(request: BaseHTTPRequestHandler, status: int, headers: dict[str, str]) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.end_headers()


def say(request: BaseHTTPRequestHandler, status: int, body: bytes = b"{}", **headers: str) -> None:
    begin(request, status, {**headers, "content-length": str(len(body))})
    request.wfile.write(body)


def reset(request: BaseHTTPRequestHandler) -> None:
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
