"""The S3 store against a server that answers badly, late or not at all. It is a thread here: no service needed."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from tests import command_line, service_models

from growbin_jobs.adapters.objects.s3 import S3Store
from growbin_jobs.errors import ConfigurationError, Deferred, GrowbinError, NotFound, Transient

Answer = tuple[int, bytes]


class Server:
    """Gives one canned answer to every request, and counts its connections."""

    def __init__(self) -> None:
        self.answer: Answer = (200, b"picture")
        self.headers: dict[str, str] = {"Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT", "ETag": '"e"'}
        self.hold: threading.Event | None = None
        self.asked = threading.Event()
        self.connections = 0
        self.paths: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this the header waits in the kernel for the client's delayed acknowledgement, 40 ms each.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                server.connections += 1
                super().setup()

            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                server.paths.append(self.path)
                server.asked.set()
                if server.hold:
                    server.hold.wait(30)
                status, body = server.answer
                self.send_response(status)
                for name, value in server.headers.items():
                    self.send_header(name, value)
                if not {"Content-Length", "Transfer-Encoding"} & server.headers.keys():
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)
                if "Content-Length" in server.headers:
                    self.close_connection = True

            do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        class Listener(ThreadingHTTPServer):
            request_queue_size = 1024
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass  # the client hung up, as it should

        self._listener = Listener(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._listener.server_port}"
        self._thread = threading.Thread(target=self._listener.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        if self.hold:
            self.hold.set()
        self._listener.shutdown()
        self._listener.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture(scope="module", autouse=True)
def _models() -> None:
    service_models.share()


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKCANARYID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)


def _store(server: Server, **options: float) -> S3Store:
    return S3Store("pictures", endpoint_url=server.url, timeout=options.pop("timeout", 5.0), **options)  # type: ignore[arg-type]


def _code(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>canary user-7</Message></Error>".encode()


OPERATIONS: list[Callable[[S3Store], object]] = [
    lambda store: store.put("uploads/user-7/a.jpg", b"x", content_type="image/jpeg"),
    lambda store: store.get("uploads/user-7/a.jpg"),
    lambda store: list(store.list("uploads/user-7")),
    lambda store: store.delete("uploads/user-7/a.jpg"),
]

ANSWERS: list[tuple[Answer, type[GrowbinError], str]] = [
    ((500, _code("InternalError")), Deferred, "overloaded"),
    ((502, b"<html>bad gateway</html>"), Deferred, "overloaded"),
    ((503, _code("SlowDown")), Deferred, "overloaded"),
    ((429, b""), Deferred, "overloaded"),
    ((400, _code("RequestTimeout")), Deferred, "overloaded"),
    ((403, _code("AccessDenied")), Deferred, "credentials"),
    ((403, _code("SignatureDoesNotMatch")), Deferred, "credentials"),
    ((403, _code("RequestTimeTooSkewed")), Deferred, "clock"),
    ((401, b""), Deferred, "credentials"),
    ((400, _code("ExpiredToken")), Deferred, "region|credentials"),
    ((404, _code("NoSuchBucket")), Deferred, "no bucket pictures"),
    ((404, b"<html>this is no S3 server</html>"), Deferred, "GROWBIN_S3_ENDPOINT_URL"),
    ((405, b""), Deferred, "GROWBIN_S3_ENDPOINT_URL"),
    ((400, _code("InvalidRequest")), Transient, "400 InvalidRequest"),
    ((400, _code("InvalidAccessKeyId")), Deferred, "credentials"),
    ((402, _code("PaymentRequired")), Deferred, "402 PaymentRequired"),
    ((400, _code("RequestExpired")), Deferred, "clock"),
    ((400, _code("InvalidRegion")), Deferred, "AWS_DEFAULT_REGION"),
    ((400, _code("TooManyRequests")), Deferred, "overloaded"),
    ((413, b"<html>too large</html>"), Deferred, "no object that large"),
    ((501, _code("NotImplemented")), Deferred, "its own protocol"),
    ((400, b"<html>plain HTTP request sent to HTTPS port</html>"), Deferred, "GROWBIN_S3_ENDPOINT_URL"),
    ((400, _code("uploads/user-7/a.jpg")), Deferred, "400 without a code"),
    ((400, _code("x" * 3000)), Deferred, "400 without a code"),
    ((400, _code("\u202e\x9b31m")), Deferred, "400 without a code"),
    ((418, b"teapot"), Transient, "418"),
]


@pytest.mark.parametrize(("answer", "expected", "words"), ANSWERS)
def test_each_bad_answer_waits_or_tries_again_and_says_why(
    server: Server, answer: Answer, expected: type[GrowbinError], words: str
) -> None:
    server.answer = answer
    store = _store(server)
    for operation in OPERATIONS:
        with pytest.raises(expected, match=words) as caught:
            operation(store)
        for canary in ("user-7", "AKCANARYID", "canary-secret"):
            assert canary not in str(caught.value)
    with pytest.raises(ConfigurationError, match=words):
        store.check()


NAMESPACED = [
    b'<?xml version="1.0"?>\n<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>%s</Code></Error>',
    b"<s3:Error xmlns:s3='http://s3.amazonaws.com/doc/2006-03-01/'><s3:Code>%s</s3:Code></s3:Error>",
]


@pytest.mark.parametrize("error", NAMESPACED)
def test_an_error_in_a_namespace_is_read(server: Server, error: bytes) -> None:
    store = _store(server)
    server.answer = (404, error % b"NoSuchKey")
    with pytest.raises(NotFound):
        store.get("a")
    with pytest.raises(NotFound):
        store.head("a")
    store.delete("a")
    server.answer = (503, error % b"SlowDown")
    for operation in OPERATIONS:
        with pytest.raises(Deferred, match="503 SlowDown"):
            operation(store)


@pytest.mark.parametrize("error", [_code("SlowDown"), NAMESPACED[0] % b"SlowDown", NAMESPACED[1] % b"SlowDown"])
def test_an_error_with_status_200_stores_nothing(server: Server, error: bytes) -> None:
    server.answer = (200, error)
    for name in ("put", "delete", "list"):
        with pytest.raises(Deferred, match="SlowDown"):
            OF_EACH[name](_store(server))


def test_only_s3_itself_can_say_that_an_object_is_missing(server: Server) -> None:
    store = _store(server)
    server.answer = (404, _code("NoSuchKey"))
    with pytest.raises(NotFound):
        store.get("a")
    store.delete("a")
    server.answer = (404, b"")
    with pytest.raises(Deferred):
        store.head("a")


def test_a_server_that_is_no_s3_is_said_to_be_none(server: Server) -> None:
    server.answer = (200, b"<html>welcome to the router</html>")
    with pytest.raises(ConfigurationError, match=r"GROWBIN_S3_ENDPOINT_URL|does not give back"):
        _store(server).check()


HTML = b"<html><body>welcome to the router</body></html>"
LIST = b"<ListBucketResult><Name>pictures</Name><IsTruncated>false</IsTruncated>%s</ListBucketResult>"


OF_EACH: dict[str, Callable[[S3Store], object]] = {
    "put": lambda store: store.put("a", b"x", content_type="image/jpeg"),
    "get": lambda store: store.get("a"),
    "head": lambda store: store.head("a"),
    "delete": lambda store: store.delete("a"),
    "list": lambda store: list(store.list("a")),
}


@pytest.mark.parametrize(
    ("asked", "body", "headers"),
    [
        ("put get head delete list", HTML, {"Content-Type": "text/html; charset=utf-8"}),
        ("get head list", HTML, {"ETag": "", "Last-Modified": ""}),
        ("put", b"", {"ETag": ""}),
        ("get head", b"picture", {"ETag": ""}),
        ("get head", b"picture", {"Last-Modified": ""}),
        ("get head", b"picture", {"Last-Modified": "yesterday"}),
        ("list", b"<html/>", {}),
    ],
)
def test_an_answer_that_is_not_the_store_s_is_an_error_of_the_port(
    server: Server, asked: str, body: bytes, headers: dict[str, str]
) -> None:
    server.answer = (200, body)
    server.headers = {name: value for name, value in (server.headers | headers).items() if value}
    for name in asked.split():
        with pytest.raises(Deferred, match="what answers is no S3 server"):
            OF_EACH[name](_store(server))


@pytest.mark.parametrize(
    "entry",
    [b"<Contents><Key>a</Key></Contents>", b"<Contents><Size>1</Size></Contents>", b"<Contents><Key>a</Key><Size>x"],
)
def test_a_listing_that_lacks_what_it_must_have_or_ends_early_is_no_s3_server_s(server: Server, entry: bytes) -> None:
    server.answer = (200, LIST.replace(b"%s", entry))
    with pytest.raises(Deferred, match=r"what answers is no S3 server|broken"):
        list(_store(server).list("a"))


def test_an_object_that_comes_without_its_length_is_bounded_all_the_same(server: Server) -> None:
    from growbin_jobs.errors import PictureRefused

    server.answer = (200, b"7\r\npicture\r\n0\r\n\r\n")
    server.headers |= {"Transfer-Encoding": "chunked"}
    assert _store(server).get("a", max_bytes=7) == b"picture"
    with pytest.raises(PictureRefused):
        _store(server).get("a", max_bytes=6)


@pytest.mark.parametrize("path", ["/storage/v1/s3", "/s3/"])
def test_a_server_below_a_path_is_asked_there(server: Server, path: str) -> None:
    S3Store("pictures", endpoint_url=server.url + path, timeout=5).get("uploads/a.jpg")

    assert server.paths == [f"{path.rstrip('/')}/pictures/uploads/a.jpg"]


@pytest.mark.parametrize("code", ["SecondLevelDomainForbidden", "VirtualHostDomainRequired"])
def test_a_server_that_wants_the_bucket_in_the_host_s_name_is_asked_so_from_then_on(server: Server, code: str) -> None:
    store = S3Store("pictures", endpoint_url=server.url.replace("127.0.0.1", "localhost"), timeout=5)
    assert "//localhost" in store.presign("a", expires=9)
    server.answer = (403, _code(code))
    with pytest.raises(Deferred, match="the host's name"):
        store.get("a")

    assert "//pictures.localhost" in store.presign("a", expires=9)
    assert store.presign("a", expires=9).partition("?")[0].endswith("/a")


def test_a_server_that_is_known_to_want_that_is_asked_so_at_once() -> None:
    store = S3Store("pictures", endpoint_url="https://s3.oss-cn-hangzhou.aliyuncs.com")

    assert store.presign("a", expires=9).startswith("https://pictures.s3.oss-cn-hangzhou.aliyuncs.com/a?")


def test_a_server_that_redirects_everything_is_said_to_be_none(server: Server) -> None:
    server.answer = (301, b"")
    server.headers["Location"] = "https://example.invalid/"
    with pytest.raises(Deferred, match="GROWBIN_S3_ENDPOINT_URL"):
        _store(server).get("a")


def test_half_an_answer_is_an_outage(server: Server) -> None:
    server.headers["Content-Length"] = "1000"
    with pytest.raises(Deferred, match="cannot be reached"):
        _store(server).get("a")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_silence_ends_after_the_timeout(server: Server, operation: Callable[[S3Store], object]) -> None:
    server.hold = threading.Event()
    with pytest.raises(Deferred, match="ReadTimeoutError"):
        operation(_store(server, timeout=0.3))


def test_a_closed_port_is_an_outage() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        store = S3Store("pictures", endpoint_url=f"http://127.0.0.1:{unused.getsockname()[1]}", timeout=5)
        for operation in OPERATIONS:
            with pytest.raises(Deferred, match="cannot be reached"):
                operation(store)


def test_one_attempt_a_call(server: Server) -> None:
    server.answer = (503, _code("SlowDown"))
    server.headers["Connection"] = "close"
    with pytest.raises(Deferred):
        _store(server).get("a")
    assert server.connections == 1


def test_no_credentials_is_the_operators_and_not_the_persons_fault(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    store = _store(server)
    with pytest.raises(Deferred, match="AWS_ACCESS_KEY_ID") as caught:
        store.get("a")
    assert caught.value.wait >= 30
    with pytest.raises(ConfigurationError, match="AWS_ACCESS_KEY_ID"):
        store.check()

    # They are looked for anew once they have been put right.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKCANARYID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret")
    assert store.get("a") == b"picture"


def test_an_unknown_profile_is_the_operators_fault_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Deferred, match="AWS_PROFILE"):
        _store(server).get("a")


def test_a_busy_pool_makes_the_next_one_wait_its_turn(server: Server) -> None:
    server.hold = threading.Event()
    store = _store(server, pool_size=1, max_wait=0.1, timeout=20)
    first = threading.Thread(target=store.get, args=("a",))
    first.start()
    assert server.asked.wait(20)

    with pytest.raises(Deferred, match="GROWBIN_S3_POOL_SIZE"):
        store.get("b")

    server.hold.set()
    first.join()
    assert store.get("b") == b"picture"
    assert server.connections == 1


def test_too_large_an_object_is_left_unread_and_costs_no_place_in_the_pool(server: Server) -> None:
    from growbin_jobs.errors import PictureRefused

    server.answer = (200, b"x" * 1_000_000)
    store = _store(server, pool_size=1, max_wait=0.1)
    for _ in range(3):
        with pytest.raises(PictureRefused):
            store.get("a", max_bytes=999_999)
    assert len(store.get("a", max_bytes=1_000_000)) == 1_000_000


def test_hundreds_of_greenlets_open_no_more_connections_than_the_pool(server: Server) -> None:
    script = """
from gevent import monkey
monkey.patch_all()
import sys
import gevent
from growbin_jobs.adapters.objects.s3 import S3Store
store = S3Store("pictures", endpoint_url=sys.argv[1], pool_size=20, timeout=60)
jobs = [gevent.spawn(store.get, f"uploads/{number}") for number in range(200)]
gevent.joinall(jobs, raise_error=True)
assert {job.value for job in jobs} == {b"picture"}
"""
    command_line.run_python([sys.executable, "-c", script, server.url], check=True)
    assert 1 <= server.connections <= 20


def test_a_fork_makes_connections_of_its_own(server: Server) -> None:
    script = """
import os, sys
from growbin_jobs.adapters.objects.s3 import S3Store
store = S3Store("pictures", endpoint_url=sys.argv[1], pool_size=1)
assert store.get("a") == b"picture"
child = os.fork()
if child == 0:
    os._exit(0 if store.get("a") == b"picture" else 1)
assert os.waitpid(child, 0)[1] == 0
assert store.get("a") == b"picture"
"""
    command_line.run_python([sys.executable, "-c", script, server.url], check=True)
    assert server.connections == 2
