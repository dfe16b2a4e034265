"""What ``growbin-jobs doctor`` says about RabbitMQ: from real servers, and from what is none."""

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from growbin_jobs.engine.broker.rabbitmq import check as checking
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.check import check
from growbin_jobs.engine.errors import ConfigurationError

QUEUE = "checked"
SECRET = "s3cret-w0rd"


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "TIMEOUT", 3.0)


@pytest.fixture
def limited(rabbitmq_url: str, rabbitmq_management: Callable[..., None]) -> Iterator[Callable[..., str]]:
    """Return the URL of a user who may configure, write and read what is named, and nothing else."""
    users = []

    def make(configure: str = ".*", write: str = ".*", read: str = ".*", vhost: str | None = None) -> str:
        parts = urlsplit(rabbitmq_url)
        user = f"u{uuid4().hex[:8]}"
        rabbitmq_management("PUT", f"/users/{user}", {"password": SECRET, "tags": ""})
        users.append(user)
        rights = {"configure": configure, "write": write, "read": read}
        rabbitmq_management("PUT", f"/permissions{parts.path}/{user}", rights)
        return f"amqp://{user}:{SECRET}@{parts.hostname}:{parts.port}/{vhost or parts.path[1:]}"

    yield make
    for user in users:
        rabbitmq_management("DELETE", f"/users/{user}")


@pytest.fixture
def used(broker: RabbitBroker) -> RabbitBroker:
    broker.get_queue_message_counts(QUEUE)
    return broker


def refusal(url: str, queue_type: str = "quorum") -> str:
    with pytest.raises(ConfigurationError) as raised:
        check(url, [QUEUE], queue_type)  # type: ignore[arg-type]
    assert SECRET not in str(raised.value)
    return str(raised.value)


def test_a_server_that_is_well(used, rabbitmq_url):
    said = check(rabbitmq_url, [QUEUE, "never_used"], "quorum").where

    assert re.match(r"RabbitMQ [34]\.\d+\.\d+ at ", said)
    assert str(urlsplit(rabbitmq_url).port) in said
    assert urlsplit(rabbitmq_url).password not in said.replace("guest@", "")
    assert used.depths() == {QUEUE: used.depths()[QUEUE]}  # and nothing was created


def test_a_semicolon_at_the_end_names_no_server(used, rabbitmq_url):
    assert "," not in check(rabbitmq_url + "; ;", [QUEUE], "quorum").where


def test_a_virtual_host_that_this_user_may_not_use(limited):
    assert "virtual host" in refusal(limited(vhost="%2F"))


@pytest.mark.parametrize("may", ["configure", "write", "read"])
def test_a_user_who_may_not(used, limited, may):
    said = refusal(limited(**{may: "^$"}))
    assert "permissions" in said
    assert "runs there" not in said


def test_a_user_who_may_nothing_is_told_so_once(used, limited):
    said = refusal(limited("^$", "^$", "^$"))

    assert said.count("Give the user") == 1
    assert f"The same with {QUEUE}.XQ, {QUEUE}." in said


def test_one_of_two_servers_is_enough_and_the_other_is_named(used, rabbitmq_url):
    said = check(f"amqp://a:{SECRET}@127.0.0.1:1/v;{rabbitmq_url}", [QUEUE], "quorum").where

    assert "but a@127.0.0.1:1 vhost 'v': RabbitMQ cannot be reached" in said
    assert SECRET not in said


@contextlib.contextmanager
def port_that(answer: bytes | None) -> Iterator[int]:
    """A TCP port that answers with something else than AMQP, with nothing (b""), or hangs up (None)."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = listener.accept()
                held.append(peer)
                if answer is None:
                    peer.close()
                elif answer:
                    peer.recv(8)
                    peer.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.close()
        for peer in held:
            peer.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"-ERR unknown command\r\n",
        b"AMQP\x00\x01\x00\x00",
        b"\x00" * 64,
        b"\x01\x00\x00\x00\x00\x00\x04\x00\x0a\x00\x0a\xce",
        b"\x15\x03\x03\x00\x02\x02\x46",
        b"",
        None,
    ],
    ids=["http", "redis", "another AMQP", "zeros", "a frame cut short", "TLS", "silent", "hangs up"],
)
def test_a_port_that_speaks_something_else(answer, caplog):
    with port_that(answer) as port:
        said = refusal(f"amqp://user:{SECRET}@127.0.0.1:{port}/v")

    assert f"user@127.0.0.1:{port}" in said
    assert "cannot be reached" in said
    assert "Traceback" not in caplog.text
