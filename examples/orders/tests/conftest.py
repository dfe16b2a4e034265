"""A data folder and a mail server of its own for each test."""

import os
import socketserver
import tempfile
import threading

import pytest

# Before the package reads its settings.
os.environ["ORDERS_DATA_DIR"] = tempfile.mkdtemp(prefix="orders-test-")


class _Session(socketserver.StreamRequestHandler):
    """As much of SMTP (RFC 5321) as the tests need."""

    def handle(self):
        server = self.server
        self._say("220 sink")
        while line := self.rfile.readline():
            word = line[:4].upper()
            if word == b"DATA":
                self._say("354 go on")
                body = b""
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    body += line
                server.received.append(body.decode())
                server.news.set()
                self._say("250 ok")
            elif word == b"RCPT" and server.refuses:
                self._say(f"{server.refuses.pop(0)} no")
            elif word == b"QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 ok")

    def _say(self, line):
        self.wfile.write(f"{line}\r\n".encode())


class Sink(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it gets in ``received``, and refuses with the codes in ``refuses`` first."""

    allow_reuse_address = daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Session)
        self.received, self.refuses, self.news = [], [], threading.Event()

    @property
    def url(self):
        return f"smtp://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def sink():
    with Sink() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()
