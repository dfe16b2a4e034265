"""The deadline over raw sockets: every place where a server can stall."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx2
import pytest

from growbin_jobs.adapters.llm.deadline import DeadlineTransport, deadline

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@contextmanager
def server(talk: Callable[[socket.socket, threading.Event], None]) -> Iterator[tuple[str, threading.Event]]:
    """A server for one connection; the event tells it to end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                talk(connection, over)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/", over
        finally:
            over.set()
            thread.join(10)


def drip(connection: socket.socket, over: threading.Event, data: bytes) -> None:
    for byte in data:
        if over.wait(0.02):
            return
        connection.sendall(bytes([byte]))


def never_answers(connection: socket.socket, over: threading.Event) -> None:
    over.wait()


def drips_headers(connection: socket.socket, over: threading.Event) -> None:
    drip(connection, over, b"HTTP/1.1 200 OK\r\nx: " + b"y" * 5000)


def drips_body(connection: socket.socket, over: threading.Event) -> None:
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n")
    drip(connection, over, b"y" * 5000)


def sends_interim_answers(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.02):
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def reads_slowly(connection: socket.socket, over: threading.Event) -> None:
    while not over.wait(0.02):
        connection.recv(1000)


@pytest.mark.parametrize("talk", [never_answers, drips_headers, drips_body, sends_interim_answers, reads_slowly])
def test_a_call_is_over_at_its_deadline_while_the_server_still_stalls(talk):
    with server(talk) as (url, over), httpx2.Client(transport=DeadlineTransport(), timeout=30.0) as client:
        with deadline(0.3), pytest.raises(httpx2.TimeoutException):
            client.post(url, content=b"x" * 50_000_000)

        assert not over.is_set()


def test_a_tls_handshake_that_stalls_is_over_at_the_deadline():
    client = httpx2.Client(transport=DeadlineTransport(), timeout=30.0)

    with server(never_answers) as (url, _), client, deadline(0.3), pytest.raises(httpx2.ConnectTimeout):
        client.get(url.replace("http:", "https:"))


def test_a_call_in_time_succeeds():
    def answers(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(1000)
        connection.sendall(OK)

    with server(answers) as (url, _), httpx2.Client(transport=DeadlineTransport()) as client, deadline(30):
        assert client.get(url).text == "ok"


def test_the_librarys_own_shorter_timeout_still_counts():
    client = httpx2.Client(transport=DeadlineTransport(), timeout=0.2)

    with server(never_answers) as (url, _), client, deadline(3600), pytest.raises(httpx2.ReadTimeout):
        client.get(url)


def test_without_a_deadline_the_transport_is_an_ordinary_one():
    def answers(connection: socket.socket, over: threading.Event) -> None:
        connection.recv(1000)
        connection.sendall(OK)

    with server(answers) as (url, _), httpx2.Client(transport=DeadlineTransport()) as client:
        assert client.get(url).text == "ok"


def test_an_inner_deadline_cannot_extend_the_outer_one():
    client = httpx2.Client(transport=DeadlineTransport(), timeout=30.0)

    with server(never_answers) as (url, _), client, deadline(0.2), deadline(3600), pytest.raises(httpx2.ReadTimeout):
        client.get(url)


def test_a_call_after_the_deadline_does_not_even_connect():
    with httpx2.Client(transport=DeadlineTransport()) as client, deadline(-1), pytest.raises(httpx2.ConnectTimeout):
        client.get("http://127.0.0.1:9/")
