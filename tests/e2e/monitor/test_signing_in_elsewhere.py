"""Signing in at a provider, in a real browser that comes from another site; and scripts at the same monitor."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from playwright.sync_api import expect
from tests.unit.monitor.conftest import HASH, PASSWORD
from tests.unit.monitor.security.test_oidc import Provider

from growbin_jobs.monitor.words import words_in

PERSON = {"email": "A@example.com", "email_verified": True}


@pytest.fixture
def provider() -> Iterator[Provider]:
    """A provider on whose page everybody is signed in already: it sends them back at once."""
    provider = Provider()
    handler: Any = provider.server.RequestHandlerClass
    tell = handler.do_GET

    def do_get(self: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(self.path)
        if parts.path != "/authorization_endpoint":
            tell(self)
            return
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        provider.nonce, provider.challenge = asked["nonce"], asked["code_challenge"]
        self.send_response(302)
        back = urlencode({"code": "the-code", "state": asked["state"]})
        self.send_header("location", f"{asked['redirect_uri']}?{back}")
        self.end_headers()

    handler.do_GET = do_get
    yield provider
    provider.server.shutdown()


def test_who_comes_back_from_a_provider_is_in_and_scripts_ask_beside(start_monitor, browser, provider):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start_monitor(
        "--port", str(port), "--url-prefix", "/jobs", GROWBIN_MONITOR_OIDC_ISSUER=provider.url,
        GROWBIN_MONITOR_OIDC_CLIENT_ID="monitor", GROWBIN_MONITOR_OIDC_CLIENT_SECRET="s3cret",
        GROWBIN_MONITOR_PUBLIC_URL=f"http://localhost:{port}",
        GROWBIN_MONITOR_ALLOW="email:a@example.com=admin,user:kim=admin",
        GROWBIN_MONITOR_USERS=f"olga:operator+personal:{HASH}",
        GROWBIN_MONITOR_PROXY_HEADER="X-Forwarded-User", GROWBIN_MONITOR_PROXY_NETWORKS="10.0.0.0/8",
    )  # fmt: skip
    address = f"http://localhost:{port}/jobs"
    page = browser.new_context(locale="en-US").new_page()
    for claims, seen in (({"email": "a@example.com.evil.com"}, "not_listed"), ({"email_verified": None}, "unverified")):
        provider.claims = PERSON | claims
        page.goto(f"{address}/access")
        page.get_by_role("link", name="Sign in with").click()
        expect(page.get_by_text(words_in("en")(f"sign_in.{seen}"))).to_be_visible()
    provider.claims = PERSON
    page.goto(f"{address}/access")
    page.get_by_role("link", name="Sign in with").click()
    page.wait_for_url(f"{address}/access")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    assert PERSON["email"] in page.content()
    page.context.close()

    with httpx.Client(base_url=address) as script:
        assert script.get("/api/v2/me").status_code == 401
        assert script.get("/api/v2/me", headers={"x-forwarded-user": "kim"}).status_code == 401  # no proxy of ours
        assert script.get("/api/tasks", auth=("olga", "wrong")).status_code == 401
        assert script.get("/api/tasks", auth=("olga", PASSWORD)).json() == {}
        assert json.loads(script.get("/api/v2/me", auth=("olga", PASSWORD)).text)["name"] == "olga"
        assert script.get("/tasks", auth=("olga", PASSWORD)).status_code == 303  # pages are for browsers
