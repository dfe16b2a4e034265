"""OpenID Connect against a provider of the tests' own, over HTTP: who is let in, and what is refused."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from growbin_jobs.monitor.config import Oidc
from growbin_jobs.monitor.people import AllowList
from growbin_jobs.monitor.security.oidc import ATTEMPT_COOKIE


@cache
def key(_name: str) -> RSAKey:
    """Return a key; made when it is used, since each process of pytest imports this module."""
    return RSAKey.generate_key(2048, {"kid": "one"})


ALLOW = AllowList.parse(["email:a@example.com=admin", "domain:example.com=viewer", "group:ops=operator"])


class Provider:
    """A provider that signs whatever it is told to.

    Attributes:
      claims: What the next token says besides what it must.
      key: That signs it.
    """

    def __init__(self) -> None:
        self.claims: dict = {}
        self.key, self.header = key("own"), {"alg": "RS256", "kid": "one"}
        self.nonce = self.challenge = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer(provider.found(self.path))

            def do_POST(self) -> None:
                sent = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
                self.answer(provider.token(sent))

            def answer(self, body: dict) -> None:
                self.send_response(200 if "error" not in body else 400)
                self.send_header("content-type", "application/json")
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def found(self, path: str) -> dict:
        if path == "/keys":
            return {"keys": [key("own").as_dict(private=False)]}
        ends = {
            name: f"{self.url}/{name}" for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
        }
        return ends | {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}

    def token(self, sent: dict) -> dict:
        verifier = hashlib.sha256(sent["code_verifier"][0].encode()).digest()
        if base64.urlsafe_b64encode(verifier).decode().rstrip("=") != self.challenge or sent["code"] != ["the-code"]:
            return {"error": "invalid_grant"}
        now = int(time.time())
        claims = {"iss": self.url, "aud": "monitor", "sub": "1", "iat": now, "exp": now + 60, "nonce": self.nonce}
        claims = {name: value for name, value in (claims | self.claims).items() if value is not None}
        return {"access_token": "t", "token_type": "Bearer", "id_token": jwt.encode(self.header, claims, self.key)}


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.server.shutdown()


@pytest.fixture
def client(provider, open_monitor):
    oidc = Oidc(issuer=provider.url, client_id="monitor", client_secret="s3cret")
    return open_monitor(oidc=oidc, allow=ALLOW, public_url="http://localhost:5555", users=())


def go_there(client, provider, **query) -> dict:
    answer = client.get("/sign-in/oidc", params=query)
    asked = {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    provider.nonce, provider.challenge = asked["nonce"], asked["code_challenge"]
    return asked


def come_back(client, provider, claims, **query):
    provider.claims = claims
    asked = go_there(client, provider, next="/access")
    return client.get("/sign-in/oidc/callback", params={"state": asked["state"], "code": "the-code"} | query)


VERIFIED = {"email": "a@example.com", "email_verified": True}


def test_who_is_listed_comes_in_and_goes_where_they_wanted(client, provider, services):
    asked = go_there(client, provider)
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert asked["redirect_uri"] == "http://localhost:5555/sign-in/oidc/callback"

    answer = come_back(client, provider, VERIFIED)

    assert (answer.status_code, answer.headers["location"]) == (303, "/access")
    assert client.get("/access").status_code == 200
    assert [(each.name, each.kind, each.role) for each in services.sessions.all()] == [
        ("a@example.com", "oidc", "admin")
    ]


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"email": "A@Example.com", "email_verified": True}, "admin"),
        ({"email": "b@example.com", "email_verified": "true"}, "viewer"),
        ({"email": "b@elsewhere.org", "email_verified": True, "groups": ["ops"]}, "operator"),
    ],
)
def test_the_widest_fitting_entry_gives_the_role(client, provider, services, claims, role):
    assert come_back(client, provider, claims).status_code == 303
    assert services.sessions.all()[0].role == role


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"email": "a@example.com.evil.com", "email_verified": True}, "GROWBIN_MONITOR_ALLOW"),
        ({"email": "a@example.com@evil.com", "email_verified": True}, "GROWBIN_MONITOR_ALLOW"),
        ({"email": "a@example.com", "email_verified": False}, "has not verified"),
        ({"email": "a@example.com"}, "has not verified"),
        ({"email_verified": True}, "no e-mail address"),
        ({"email": "", "email_verified": True}, "no e-mail address"),
        ({"email": "x@y.z", "email_verified": True, "groups": "ops"}, "GROWBIN_MONITOR_ALLOW"),
    ],
)
def test_everybody_else_is_refused_with_a_sentence(client, provider, services, claims, words):
    answer = come_back(client, provider, claims)

    assert answer.status_code == 403
    assert words in answer.text
    assert services.sessions.all() == []
    assert [row.action for row in services.audit.find()] == ["sign_in.refused"]


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"}, {"nonce": None}, {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": None},
        {"exp": 1}, {"aud": ["another", "monitor"], "azp": "another"}, {"iat": None},
    ],
)  # fmt: skip
def test_a_token_that_is_not_for_this_sign_in_lets_nobody_in(client, provider, services, claims):
    assert come_back(client, provider, VERIFIED | claims).status_code == 502
    assert services.sessions.all() == []


def test_a_signature_by_another_key_or_a_secret_or_none_lets_nobody_in(client, provider):
    provider.key = key("other")
    assert come_back(client, provider, VERIFIED).status_code == 502
    provider.key, provider.header = OctKey.import_key("s3cret-s3cret-s3cret-s3cret-s3cret"), {"alg": "HS256"}
    assert come_back(client, provider, VERIFIED).status_code == 502


def test_another_one_s_way_back_is_refused(client, provider):
    assert come_back(client, provider, VERIFIED, state="another").status_code == 502
    assert come_back(client, provider, VERIFIED, code="another").status_code == 502
    assert come_back(client, provider, VERIFIED, error="access_denied").status_code == 502
    client.cookies.delete(ATTEMPT_COOKIE)
    assert client.get("/sign-in/oidc/callback", params={"state": "x", "code": "the-code"}).status_code == 400


def test_a_provider_that_is_away_is_said(client, provider):
    provider.server.shutdown()
    provider.server.server_close()

    answer = client.get("/sign-in/oidc")

    assert answer.status_code == 502
    assert "s3cret" not in answer.text


def test_without_a_provider_there_is_no_such_page(open_monitor):
    assert open_monitor().get("/sign-in/oidc").status_code == 404
