"""The server of metrics and health, over real sockets."""

import json
import logging
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from growbin_jobs.engine.node.health import Check
from growbin_jobs.metrics import server as serving
from growbin_jobs.metrics.cached import Source
from growbin_jobs.metrics.server import Server


@contextmanager
def serve(checks=(), metrics=lambda accept: (accept.encode(), "text/plain"), port: int = 0) -> Iterator[Server]:
    server = Server("127.0.0.1", port, metrics, {"/livez": lambda: list(checks)}, named="GROWBIN_METRICS_PORT")
    server.start()
    try:
        yield server
    finally:
        server.stop()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def test_pages_and_statuses() -> None:
    with serve([Check("hub", True)]) as server:
        assert get(server, "/metrics?x=1", Accept="text/plain") == (200, b"text/plain")
        assert json.loads(get(server, "/livez")[1]) == {"ok": True, "checks": {"hub": "ok"}}
        assert get(server, "/livez", method="HEAD") == (200, b"")
        assert get(server, "/readyz")[0] == 404
        assert get(server, "/metrics", method="POST")[0] == 501
    with serve([Check("hub", True), Check("disk", False, "full")]) as server:
        status, body = get(server, "/livez")
    assert (status, json.loads(body)["checks"]) == (503, {"hub": "ok", "disk": "full"})


def test_an_error_is_no_page_and_shows_no_text() -> None:
    def broken(_accept: str) -> tuple[bytes, str]:
        raise RuntimeError("secret")

    with serve(metrics=broken) as server:
        assert get(server, "/metrics") == (500, b"RuntimeError\n")


def test_a_port_that_is_taken_is_said_and_tried_again(monkeypatch, caplog) -> None:
    monkeypatch.setattr(serving, "TRY_AGAIN", 0.05)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with caplog.at_level(logging.INFO), serve(port=port) as server:
            assert server.port is None
            assert "GROWBIN_METRICS_PORT" in caplog.text
            other.close()
            while server.port is None:
                threading.Event().wait(0.02)
            assert get(server, "/livez")[0] == 200


def test_a_source_that_is_slow_or_away_is_missing() -> None:
    gate, now = threading.Event(), [0.0]

    def slow() -> list[object]:
        gate.wait(20)
        return []

    source = Source("db", slow, every=10.0, patience=0.05, clock=lambda: now[0])
    assert source.readings() is None
    gate.set()
    assert source._reader is not None
    source._reader.join(20)
    assert source.readings() == []

    def away() -> list[object]:
        raise OSError

    assert Source("db", away).readings() is None
    now[0] = 100.0
    gate.clear()
    assert source.readings() is None  # old, and not read again yet
    gate.set()


@pytest.mark.parametrize("raised", [ValueError, KeyError])
def test_what_fails_is_missing_and_said(raised: type[Exception], caplog) -> None:
    def broken() -> list[object]:
        raise raised("secret")

    assert Source("db", broken).readings() is None
    assert raised.__name__ in caplog.text
    assert "secret" not in caplog.text
