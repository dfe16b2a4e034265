"""A receiver of webhooks over real HTTP that can fail in the ways that receivers do."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """What came, and what is answered.

    Attributes:
      answer: A status; ``hang``: no answer until :meth:`let_go`; ``cut``: the connection ends without one.
      got: Headers and body of every request, in order.
    """

    url: str = ""
    answer: int | str = 200
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    _gone: threading.Event = field(default_factory=threading.Event)

    @property
    def ids(self) -> list[str]:
        """The ids of the messages that came, in order."""
        return [headers["webhook-id"] for headers, _ in self.got]

    def let_go(self) -> None:
        """End requests that hang."""
        self._gone.set()


@contextmanager
def receiver(port: int = 0) -> Iterator[Receiver]:
    """Listen on the loopback until the block ends."""
    its = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            its.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if its.answer == "hang":
                its._gone.wait(60)
                return
            if its.answer == "cut":
                return
            self.send_response(int(its.answer))
            self.send_header("content-length", "0")
            self.send_header("location", its.url)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    its.url = f"http://127.0.0.1:{server.server_address[1]}/hook?token=hidden"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield its
    finally:
        its.let_go()
        server.shutdown()
        server.server_close()
        thread.join()
