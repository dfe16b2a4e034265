"""Where a bucket is: as botocore says, which is asked only where nobody else can know."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import botocore.session
import pytest
from botocore.config import Config

from growbin_jobs.adapters.objects.s3_place import Place, place_below, place_by_botocore

PLAIN = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID%2F20261129%2Fap-northeast-2%2Fs3%2Faws4_request"


def client(address: str) -> SimpleNamespace:
    return SimpleNamespace(generate_presigned_url=lambda *_, **__: address)


def test_a_plain_bucket_is_signed_for_here() -> None:
    found = place_by_botocore(client(f"https://b.s3.example:443/growbin-any-key?{PLAIN}"), "b")  # type: ignore[arg-type]

    assert found == Place("https://b.s3.example:443", "b.s3.example", "/", "ap-northeast-2")


@pytest.mark.parametrize(
    "query",
    [
        PLAIN.replace("HMAC-SHA256", "ECDSA-P256-SHA256"),  # an access point of several regions
        PLAIN.replace("%2Fs3%2F", "%2Fs3-outposts%2F"),
        f"{PLAIN}&X-Amz-S3session-Token=t",  # a directory bucket
        "AWSAccessKeyId=AKID&Signature=s&Expires=1",  # version 2
    ],
)
def test_any_other_is_left_to_botocore(query: str) -> None:
    assert place_by_botocore(client(f"https://b.s3.example/growbin-any-key?{query}"), "b") is None  # type: ignore[arg-type]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> botocore.session.Session:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    variables = {"AWS_CONFIG_FILE": "/dev/null", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    for name, value in {**variables, **getattr(request, "param", {})}.items():
        monkeypatch.setenv(name, value)
    return botocore.session.Session()


SERVERS = [
    "http://127.0.0.1:8333", "https://s3.example", "https://s3.example:443", "http://h:80/storage/v1/s3",
    "https://[::1]:9000", "https://ACCOUNT.r2.cloudflarestorage.com",
]  # fmt: skip
REGIONS: list[dict[str, str]] = [
    {}, *({"AWS_DEFAULT_REGION": name} for name in ("eu-central-1", "auto", "garage", "us-gov-west-1", "aws-global")),
]  # fmt: skip


@pytest.mark.parametrize("session", REGIONS, indirect=True)
def test_a_server_that_is_not_aws_s_is_asked_where_botocore_would(session: botocore.session.Session) -> None:
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    known = session.get_config_variable("region") != "aws-global"
    for url in SERVERS:
        theirs = session.create_client("s3", endpoint_url=url, config=config)
        for bucket in ("pictures", "my.own-pictures.2"):
            ours = place_below(session, url, bucket)

            assert ours == (place_by_botocore(theirs, bucket) if known else None), url


@pytest.mark.parametrize(
    "session",
    [
        {"AWS_DEFAULT_REGION": "fips-us-east-1"},
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
    ],
    indirect=True,
)
def test_what_changes_addresses_is_left_to_botocore(session: botocore.session.Session) -> None:
    assert place_below(session, "https://s3.example", "b") is None


def test_a_path_that_must_be_quoted_is_left_to_botocore(session: botocore.session.Session) -> None:
    assert place_below(session, "https://s3.example/a%20b", "b") is None


def test_aws_itself_and_a_profile_that_says_how_to_ask_are_left_to_botocore(session, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    assert place_below(session, "https://s3.eu-central-1.amazonaws.com", "b") is None

    (tmp_path / "config").write_text("[default]\ns3 =\n  use_accelerate_endpoint = true\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert place_below(botocore.session.Session(), "https://s3.example", "b") is None


USE = """
import json, sys, threading, gc
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        known = self.path.endswith("known")
        self.send_response(404 if not known and self.command == "GET" else 200)
        body = b"" if self.command != "GET" else b"data" if known else b"<Error><Code>NoSuchKey</Code></Error>"
        for name, value in {"ETag": '"e"', "Last-Modified": "Sat, 21 Nov 2026 00:00:00 GMT", "Content-Length": len(body)}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)
    do_PUT = do_DELETE = do_GET
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
from growbin_jobs.adapters.objects.s3 import S3Store
from growbin_jobs.errors import NotFound
store = S3Store("pictures", endpoint_url=f"http://127.0.0.1:{server.server_port}")
store.put("known", b"data", content_type="image/jpeg", cache_control="max-age=1")
assert store.get("known") == b"data"
store.delete("known")
try:
    store.get("other")
    missing = False
except NotFound:
    missing = True
print(json.dumps([missing, store._connections._connected().known is None, "boto3" in sys.modules]))
"""  # noqa: E501


def test_the_requests_of_every_picture_need_no_client_of_botocore() -> None:
    """It reads the description of the whole service, 15 MB in each process, and 0.15 s of its start."""
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": "/dev/null"}
    done = subprocess.run([sys.executable, "-c", USE], env=os.environ | keys, capture_output=True, check=False)

    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout) == [True, True, False]
