"""Serves ``/metrics``, ``/startupz``, ``/livez`` and ``/readyz`` over HTTP, and nothing else.

A port that somebody else has is said once and tried again: a keeper has more to do than to be asked.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import selectors
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from growbin_jobs.engine.addresses import bracketed
from growbin_jobs.engine.node.health import Check
from growbin_jobs.engine.tcp_listener import listen

logger = logging.getLogger(__name__)

#: Seconds until a port that was taken is tried again.
TRY_AGAIN = 15.0

#: Requests that are answered at the same time; more are refused.
MOST_AT_ONCE = 16

#: Connections that may wait to be accepted.
BACKLOG = 32

#: Returns a page and its content type, from the header ``Accept``.
Page = Callable[[str], tuple[bytes, str]]


class Server:
    """The server of a keeper or a scheduler.

    Parameters:
      host, port: Where it listens; port 0 finds a free one, for tests.
      metrics: Makes the page of ``/metrics``.
      checks: By path, what returns the checks of a health endpoint.
      named: Names of the settings of host and port, for people.
    """

    def __init__(
        self,
        host: str,
        port: int,
        metrics: Page,
        checks: Mapping[str, Callable[[], Sequence[Check]]],
        *,
        named: tuple[str, str],
    ) -> None:
        self._address = host, port
        self._metrics = metrics
        self._checks = checks
        self._named = named
        self._stop = threading.Event()
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None
        self._said = False
        self._room = threading.BoundedSemaphore(MOST_AT_ONCE)

    @property
    def port(self) -> int | None:
        """The port that it listens at; None while somebody else has it."""
        return self._http.server_address[1] if self._http is not None else None

    def start(self) -> None:
        """Serve from now on, in a thread."""
        self._open()
        self._thread = threading.Thread(target=self._run, name="metrics-server", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Serve no more."""
        self._stop.set()
        if self._http is not None:
            self._http.tell_to_stop()
            if self._thread is not None:
                self._thread.join()
            self._http.server_close()

    def _open(self) -> None:
        outer = self

        class Handler(_Handler):
            server_ = outer

        try:
            self._http = _Http(self._address, Handler)
        except OSError as error:
            if not self._said:
                self._said = True
                logger.warning(
                    "metrics.not_served address=%s error=%s; %s. It is tried again.",
                    *(self._shown(self._address[1]), error.strerror, self._remedy(error)),
                )
            return
        logger.info("metrics.serving address=%s", self._shown(self._http.server_port))

    def _shown(self, port: int) -> str:
        return f"{bracketed(self._address[0])}:{port}"

    def _remedy(self, error: OSError) -> str:
        host, port = self._named
        if error.errno == errno.EADDRINUSE:
            return f"another process may have the port: choose another one with {port}, or 0 for none"
        return f"set {host} to an address of this machine"

    def _run(self) -> None:
        while self._http is None:
            if self._stop.wait(TRY_AGAIN):
                return
            self._open()
        if not self._stop.is_set():
            self._http.serve_until_told()

    def answer(self, path: str, accept: str) -> tuple[int, bytes, str]:
        """Return status, body and content type of a path."""
        path = path.partition("?")[0]
        if path == "/metrics":
            return 200, *self._metrics(accept)
        checks = self._checks.get(path)
        if checks is None:
            return 404, f"There are: /metrics, {', '.join(self._checks)}.\n".encode(), "text/plain; charset=utf-8"
        found = checks()
        well = all(check.ok for check in found)
        body = {"ok": well, "checks": {check.name: check.detail or "ok" for check in found}}
        return 200 if well else 503, json.dumps(body).encode() + b"\n", "application/json"


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    timeout = 0  # of handle_request(), which is called when there is one

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._told, self._tell = os.pipe()
        super().__init__(address, handler)

    def serve_until_told(self) -> None:
        """Serve, and sleep where nobody asks: ``serve_forever`` looks every moment whether it has to stop."""
        with selectors.DefaultSelector() as selector:
            for readable in (self._told, self):
                selector.register(readable, selectors.EVENT_READ)
            while self._told not in [key.fd for key, _ in selector.select()]:
                self.handle_request()

    def tell_to_stop(self) -> None:
        """Let :meth:`serve_until_told` return; from any thread."""
        os.write(self._tell, b"!")

    def server_close(self) -> None:
        super().server_close()
        for end in (self._told, self._tell):
            os.close(end)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of who went away before the answer, as a scraper does whose time is over."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def server_bind(self) -> None:
        """Listen, with an address of either family.

        ``TCPServer`` takes the family for granted, and ``HTTPServer`` looks up our own name, which may ask a name
        server and wait for it.
        """
        self.socket.close()
        host, port = self.server_address[:2]
        self.socket = listen(str(host), port, backlog=BACKLOG)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(host), self.server_address[1]

    def server_activate(self) -> None:
        """Do nothing: its socket listens."""


class _Handler(BaseHTTPRequestHandler):
    server_: Server
    server_version = "growbin-jobs"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, *, body: bool) -> None:
        room = self.server_._room
        if not room.acquire(blocking=False):
            self.send_error(503, "Too many requests at once")
            return
        try:
            status, text, kind = self.server_.answer(self.path, self.headers.get("Accept", ""))
        except Exception as error:
            logger.exception("metrics.request_failed path=%.40s", self.path)
            status, text, kind = 500, f"{type(error).__name__}\n".encode(), "text/plain"
        finally:
            room.release()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if body:
            self.wfile.write(text)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: probes come every few seconds."""
