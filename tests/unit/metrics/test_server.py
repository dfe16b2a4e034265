"""The server of metrics and health, over real sockets."""

import json
import logging
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from growbin_jobs.engine.node.health import Check
from growbin_jobs.metrics import server as serving
from growbin_jobs.metrics.cached import Source, read_all
from growbin_jobs.metrics.server import Server

#: Of another engine than Growbin's.
NAMED = ("SHOP_METRICS_HOST", "SHOP_METRICS_PORT")


@contextmanager
def serve(checks=(), metrics=lambda accept: (accept.encode(), "text/plain"), port: int = 0) -> Iterator[Server]:
    server = Server("127.0.0.1", port, metrics, {"/livez": lambda: list(checks)}, named=NAMED)
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
            assert "SHOP_METRICS_PORT" in caplog.text
            other.close()
            while server.port is None:
                threading.Event().wait(0.02)
            assert get(server, "/livez")[0] == 200


def test_an_address_of_another_machine_is_said_with_the_setting_to_change(caplog) -> None:
    server = Server("192.0.2.1", 0, lambda _: (b"", ""), {}, named=NAMED)
    server.start()
    server.stop()
    assert "address=192.0.2.1:0" in caplog.text
    assert "set SHOP_METRICS_HOST to an address of this machine" in caplog.text


def test_it_is_reached_by_every_address(caplog) -> None:
    server = Server("::", 0, lambda _: (b"page", "text/plain"), {}, named=NAMED)
    with caplog.at_level(logging.INFO):
        server.start()
    try:
        assert get(server, "/metrics") == (200, b"page")
        assert f"address=[::]:{server.port}" in caplog.text
    finally:
        server.stop()


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


def test_slow_sources_are_waited_for_together_and_once() -> None:
    gate, now = threading.Event(), [0.0]
    waits: list[float] = []

    class Waited(Source):
        def readings(self):
            waits.append(self._began + self.patience - now[0])
            return super().readings()

    def slow() -> list[object]:
        gate.wait(20)
        return []

    sources = [Waited(name, slow, patience=0.05, clock=lambda: now[0]) for name in "abc"]
    assert [found for _, found in read_all(sources)] == [None, None, None]
    assert len({source._reader for source in sources}) == 3
    now[0] = 1.0  # they still read
    assert [found for _, found in read_all(sources)] == [None, None, None]
    gate.set()
    assert waits[:3] == [0.05, 0.05, 0.05]
    assert max(waits[3:]) < 0, "another scrape waits for what was too slow for the one before"


def test_a_scraper_that_goes_away_is_not_said(capfd) -> None:
    def page(_accept: str) -> tuple[bytes, str]:
        asked.set()
        gone.wait(20)
        return b"x" * 10_000_000, "text/plain"

    asked, gone, before = threading.Event(), threading.Event(), set(threading.enumerate())
    with serve(metrics=page) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as scraper:
            scraper.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            assert asked.wait(10)
        gone.set()
        mine = {thread for thread in threading.enumerate() if "process_request" in thread.name} - before
        for thread in mine:
            thread.join(60)
            assert not thread.is_alive()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("raised", [ValueError, KeyError])
def test_what_fails_is_missing_and_said(raised: type[Exception], caplog) -> None:
    def broken() -> list[object]:
        raise raised("secret")

    assert Source("db", broken).readings() is None
    assert raised.__name__ in caplog.text
    assert "secret" not in caplog.text
