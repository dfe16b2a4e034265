"""Requests to a zoo of bad endpoints."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests.stubs.agent_zoo import AgentZoo

from growbin_jobs.adapters.probing.probe import MOST_READ, Prober
from growbin_jobs.adapters.probing.public import networks

LOOPBACK = networks(["127.0.0.0/8"])


@pytest.fixture
def zoo() -> Iterator[AgentZoo]:
    zoo = AgentZoo()
    yield zoo
    zoo.close()


@pytest.fixture
def prober() -> Prober:
    return Prober(allowed=LOOPBACK)


def test_an_answer_has_its_status_and_its_phases(zoo, prober):
    answer = prober.send("GET", f"{zoo.url}/ok", seconds=10)

    assert (answer.failure, answer.http_status, answer.body) == (None, 200, b"{}")
    assert {"resolve", "connect", "first_byte", "body"} <= answer.phases.keys()


@pytest.mark.parametrize(
    ("path", "failure", "status"),
    [("/503", None, 503), ("/redirect", None, 302), ("/hang", "timeout", None), ("/drip", "timeout", 200),
     ("/reset", "broken", None), ("/stall", "timeout", 200), ("/nonsense", "broken", None), ("/heads", "broken", None)],
)  # fmt: skip
def test_bad_endpoints(zoo, prober, path, failure, status):
    answer = prober.send("GET", f"{zoo.url}{path}", seconds=2 if failure == "timeout" else 10)

    assert (answer.failure, answer.http_status) == (failure, status)
    assert sum(zoo.hits.values()) == 1  # no redirect was followed, nothing was tried again


def test_of_a_body_without_end_little_is_read(zoo, prober):
    answer = prober.send("GET", f"{zoo.url}/huge", seconds=30)

    assert (answer.failure, answer.http_status, len(answer.body)) == (None, 200, MOST_READ)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f000001", "2130706433", "[::ffff:127.0.0.1]", "localhost"])
def test_no_spelling_of_a_private_address_is_asked(zoo, host):
    answer = Prober().send("GET", f"http://{host}:{zoo.port}/ok", seconds=10)

    assert answer.failure == "not public"
    assert not zoo.hits


def test_a_name_that_answers_differently_the_second_time_is_not_asked_a_second_time(zoo):
    answers = [["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["8.8.8.8"]]
    asked = []

    def rebinding(host, port):
        asked.append(host)
        return answers[len(asked) - 1]

    prober = Prober(resolve=rebinding)

    # One private address among public ones, and a private one alone.
    assert [prober.send("GET", f"http://rebind.test:{zoo.port}/ok", seconds=5).failure for _ in range(2)] == [
        "not public",
        "not public",
    ]
    assert (len(asked), sum(zoo.hits.values())) == (2, 0)


def test_the_socket_goes_to_the_address_that_was_judged(zoo):
    asked = []

    def once(host, port):
        asked.append(host)
        return ["127.0.0.1"]

    answer = Prober(allowed=LOOPBACK, resolve=once).send("GET", f"http://agent.test:{zoo.port}/ok", seconds=10)

    assert answer.http_status == 200
    assert asked == ["agent.test"]
    assert zoo.headers["host"] == f"agent.test:{zoo.port}"


def test_a_name_that_cannot_be_resolved_three_times_is_asked_anew_each_time(zoo):
    calls = []

    def resolve(host, port):
        calls.append(host)
        if len(calls) <= 3:
            raise OSError("no such name")
        return ["127.0.0.1"]

    prober = Prober(allowed=LOOPBACK, resolve=resolve)
    failures = [prober.send("GET", f"http://agent.test:{zoo.port}/ok", seconds=10).failure for _ in range(4)]

    assert failures == ["not resolved"] * 3 + [None]


def test_a_resolver_that_hangs_ends_with_the_limit():
    forever = threading.Event()
    prober = Prober(resolve=lambda host, port: forever.wait() and [])

    assert prober.send("GET", "http://agent.test/", seconds=0.2).failure == "not resolved"
    forever.set()


@pytest.mark.parametrize("url", ["ftp://agent.test/", "http://", "no address", "http://[::1/"])
def test_what_is_no_address_is_said_so(url):
    assert Prober().send("GET", url, seconds=5).failure in ("address", "not resolved")


def test_proxies_of_the_environment_are_not_used(zoo, prober, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")

    assert prober.send("GET", f"{zoo.url}/ok", seconds=10).http_status == 200


@pytest.fixture(scope="module")
def tls_server(tmp_path_factory) -> Iterator[tuple[int, str]]:
    folder = tmp_path_factory.mktemp("tls")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-days", "30", "-keyout", key, "-out", certificate, "-subj", "/CN=agent.test",
         "-addext", "subjectAltName=DNS:agent.test"],
        check=True, capture_output=True,
    )  # fmt: skip

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a client that hangs up on a bad certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.server_address[1], str(certificate)
    server.shutdown()
    server.server_close()


def test_tls_is_checked_against_the_name_and_its_end_is_told(tls_server):
    port, certificate = tls_server
    prober = Prober(
        allowed=LOOPBACK, resolve=lambda *_: ["127.0.0.1"], tls=ssl.create_default_context(cafile=certificate)
    )

    good = prober.send("GET", f"https://agent.test:{port}/", seconds=10)
    other_name = prober.send("GET", f"https://other.test:{port}/", seconds=10)
    unknown = Prober(allowed=LOOPBACK, resolve=lambda *_: ["127.0.0.1"]).send(
        "GET", f"https://agent.test:{port}/", seconds=10
    )

    assert good.http_status == 200
    assert good.tls_expires_at is not None
    assert "tls" in good.phases
    assert (other_name.failure, unknown.failure) == ("tls", "tls")
