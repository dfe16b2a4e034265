"""The dead man's switch: a watcher outside hears of the schedule while nothing waits, and only then."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from growbin_jobs.scheduler.ping import Ping


@pytest.fixture
def watcher():
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/secret", heard
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_watcher_hears_while_nothing_is_overdue(watcher):
    url, heard = watcher

    assert Ping(url, lambda: 3.0).run_once() is True
    assert heard == ["/secret"]


def test_it_hears_nothing_while_something_waits(watcher, caplog):
    url, heard = watcher

    with caplog.at_level(logging.ERROR):
        assert Ping(url, lambda: 300.0).run_once() is False
    assert heard == []
    assert "scheduler.overdue seconds=300" in caplog.text


def test_a_watcher_that_is_away_ends_nothing_and_its_address_is_no_log_s(caplog):
    with caplog.at_level(logging.WARNING):
        assert Ping("http://127.0.0.1:1/secret", lambda: 0.0).run_once() is False

    assert "scheduler.ping_failed" in caplog.text
    assert "secret" not in caplog.text
