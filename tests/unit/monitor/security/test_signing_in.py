"""Passwords, sessions, tokens, links, proxies: who gets in, and who does not."""

import base64
from datetime import timedelta
from functools import partial
from ipaddress import ip_network

import pytest
from tests.unit.monitor.conftest import CLOSED, PASSWORD

from growbin_jobs.monitor.config import TrustedProxy
from growbin_jobs.monitor.people import AllowList
from growbin_jobs.monitor.security.identify import COOKIE
from growbin_jobs.monitor.security.login_limit import OF_ADDRESS, OF_NAME, OF_PAIR, WINDOW, LoginLimit
from growbin_jobs.monitor.security.refusals import TooManyAttempts


def basic(name: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


def test_the_right_password_opens_a_session_that_signing_out_ends(open_monitor, services):
    client = open_monitor()
    answer = client.post("/sign-in", data={"name": "vera", "password": PASSWORD, "next": "/?x=1"})

    assert (answer.status_code, answer.headers["location"]) == (303, "/?x=1")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert client.get("/").status_code == 200
    secret = client.cookies[COOKIE]
    client.post("/sign-out", headers={"sec-fetch-site": "same-origin"})
    client.cookies.set(COOKIE, secret)  # as somebody would who has stolen it
    assert client.get("/").status_code == 303
    assert [row.action for row in services.audit.find()] == ["session.ended", "session.begun"]


def test_the_cookie_is_for_https_only_where_browsers_use_it(open_monitor):
    client = open_monitor(host="jobs.example.com", public_url="https://jobs.example.com")

    answer = client.post("/sign-in", data={"name": "vera", "password": PASSWORD})

    assert "Secure" in answer.headers["set-cookie"]


@pytest.mark.parametrize("name", ["vera", "nobody", "", "ve\x00ra"])
def test_a_wrong_password_tells_nothing(open_monitor, name):
    answer = open_monitor().post("/sign-in", data={"name": name, "password": "wrong"})

    assert answer.status_code == 401
    assert "The name or the password is wrong." in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\nx"]
)
def test_nobody_is_sent_elsewhere_after_signing_in(open_monitor, target):
    answer = open_monitor().post("/sign-in", data={"name": "vera", "password": PASSWORD, "next": target})

    assert answer.headers["location"] == "/"


def test_many_wrong_passwords_must_wait_and_the_right_one_too(open_monitor):
    client = open_monitor()
    for _ in range(OF_PAIR):
        assert client.post("/sign-in", data={"name": "vera", "password": "wrong"}).status_code == 401

    answer = client.post("/sign-in", data={"name": "vera", "password": PASSWORD})

    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) > 0
    assert client.post("/api/v2/me", headers=basic("vera", PASSWORD)).status_code in (405, 429)
    assert client.get("/api/v2/me", headers=basic("vera", PASSWORD)).status_code == 429
    assert client.post("/sign-in", data={"name": "adam", "password": PASSWORD}).status_code == 303


def test_the_limit_forgets_after_its_window_and_takes_right_ones_back():
    now = 0.0
    limit = LoginLimit(lambda: now)
    for _ in range(100):
        limit.succeeded("a", "x", limit.begin("a", "x"))
    for _ in range(OF_PAIR):
        limit.begin("a", "x")
    with pytest.raises(TooManyAttempts) as refused:
        limit.begin("a", "x")
    assert 0 < refused.value.wait <= WINDOW
    limit.begin("a", "y")  # a stranger has not locked them out
    now = WINDOW + 1
    limit.begin("a", "x")


def test_an_address_that_tries_many_names_and_a_name_that_many_try_must_wait():
    limit = LoginLimit(lambda: 0.0)
    for number in range(OF_ADDRESS):
        limit.begin(f"name{number}", f"2001:db8::{number:x}")  # one network is one place
    with pytest.raises(TooManyAttempts):
        limit.begin("another", "2001:db8::ffff")
    for number in range(OF_NAME):
        limit.begin("kim", f"10.0.0.{number}")
    with pytest.raises(TooManyAttempts):
        limit.begin("kim", "10.0.1.1")


def test_an_administrator_ends_a_session_at_once(signed_in, services):
    victim, admin = signed_in("vera"), signed_in("ada")
    session = next(each.id for each in services.sessions.all() if each.name == "vera")

    assert victim.get("/").status_code == 200
    assert admin.post("/access/sessions/end", data={"session": session}).status_code == 303
    assert victim.get("/").status_code == 303


def test_a_user_who_left_the_settings_or_lost_a_role_is_out_at_once(signed_in, open_monitor):
    client = signed_in("ada")
    without = open_monitor(users=CLOSED.users[:1])
    without.cookies = client.cookies

    assert client.get("/access").status_code == 200
    assert without.get("/access").status_code == 303


def test_a_session_that_is_over_is_none(signed_in, services):
    from growbin_jobs.models.monitor_sessions import MonitorSessionRow as Row

    client = signed_in("vera")
    services.database.run(lambda one: Row.update(expires_at=Row.created_at).execute(one))
    assert client.get("/").status_code == 303


def token(services, role="viewer", **more) -> str:
    values = {"name": "ci", "kind": "api", "personal": False, "created_by": "test", "lasts": timedelta(days=1)} | more
    return services.tokens.create(role=role, **values)[1]


def test_a_token_lets_in_with_its_role_until_it_is_revoked(open_monitor, services):
    client = open_monitor()
    secret = token(services, "operator")
    headers = {"authorization": f"Bearer {secret}"}

    me = client.get("/api/v2/me", headers=headers).json()
    assert (me["name"], me["role"], me["personal"]) == ("token ci", "operator", False)
    assert "retry" in me["actions"]
    assert "see_audit" not in me["actions"]
    services.tokens.revoke(services.tokens.all()[0].id)
    assert client.get("/api/v2/me", headers=headers).status_code == 401


def test_tokens_that_are_none(open_monitor, services):
    client = open_monitor()
    right = token(services)
    expired = token(services, lasts=timedelta(seconds=-1))
    link = token(services, kind="link")

    for secret in (right[:-1], right + "x", "", "gbm_", "gbm_x.y", expired, link, "\u0000"):
        answer = client.get("/api/v2/me", headers={"authorization": f"Bearer {secret}".encode()})
        assert answer.status_code == 401, secret
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_secrets_are_stored_as_hashes_only(services, tmp_path):
    secret = token(services)
    _, cookie = services.sessions.begin(name="a", kind="password", role="viewer", personal=False, address="", hours=1)
    services.database.run(lambda one: one.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)").fetchall())
    stored = (tmp_path / "data" / "central.db").read_bytes()

    assert secret.rpartition(".")[2].encode() not in stored
    assert cookie.rpartition(".")[2].encode() not in stored


def test_a_link_works_once_and_only_where_links_are_accepted(open_monitor, services):
    secret = token(services, "admin", kind="link")

    assert open_monitor().post("/sign-in/link", data={"secret": secret}).status_code == 403
    client = open_monitor(sign_in_links=True)
    assert client.get("/sign-in/link").status_code == 200
    assert client.post("/sign-in/link", data={"secret": secret}).status_code == 303
    assert client.get("/access").status_code == 200
    client.cookies.clear()
    assert client.post("/sign-in/link", data={"secret": secret}).status_code == 401


def test_http_basic_is_for_the_api_only(open_monitor):
    client = open_monitor()

    assert client.get("/api/v2/me", headers=basic("otto", PASSWORD)).json()["role"] == "operator"
    assert client.get("/", headers=basic("otto", PASSWORD)).status_code == 303
    assert client.get("/api/v2/me", headers=basic("otto", "wrong")).status_code == 401
    assert client.get("/api/v2/me", headers={"authorization": "Basic ///"}).status_code == 401


NETWORK = (ip_network("10.0.0.0/8"),)
PROXY = TrustedProxy(networks=NETWORK, user_header="X-Forwarded-User")
ALLOW = AllowList.parse(["user:kim=admin"])


@pytest.fixture
def client_from(open_monitor):
    return partial(open_monitor, proxy=PROXY, allow=ALLOW)


def test_a_header_is_believed_from_the_named_network_only(client_from):
    headers = {"x-forwarded-user": "kim"}

    assert client_from(peer=("10.1.2.3", 1)).get("/access", headers=headers).status_code == 200
    assert client_from(peer=("::ffff:10.1.2.3", 1)).get("/access", headers=headers).status_code == 200
    assert client_from(peer=("11.1.2.3", 1)).get("/access", headers=headers).status_code == 303
    assert client_from(peer=("10.1.2.3", 1)).get("/access", headers={"x-forwarded-user": "eve"}).status_code == 303
    twice = [("x-forwarded-user", "kim"), ("x-forwarded-user", "eve")]
    assert client_from(peer=("10.1.2.3", 1)).get("/access", headers=twice).status_code == 303


def test_a_connection_without_an_address_is_nobody_s_word(client_from):
    headers = {"x-forwarded-user": "kim"}

    assert client_from(peer=None).get("/access", headers=headers).status_code == 303


def test_records_have_the_address_that_a_believed_proxy_tells(client_from, services):
    data = {"name": "vera", "password": PASSWORD}
    client_from(peer=("10.1.2.3", 1)).post("/sign-in", data=data, headers={"x-forwarded-for": "1.1.1.1, 203.0.113.9"})
    client_from(peer=("11.1.2.3", 1)).post("/sign-in", data=data, headers={"x-forwarded-for": "203.0.113.9"})

    assert [row.address for row in services.audit.find(action="session.begun")] == ["11.1.2.3", "203.0.113.9"]
