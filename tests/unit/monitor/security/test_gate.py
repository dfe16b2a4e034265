"""Hosts, origins, the prefix, the headers."""

import base64

import pytest
from tests.unit.monitor.conftest import PASSWORD

from growbin_jobs.monitor.config import MonitorConfig, TrustedProxy

BASIC = {"authorization": "Basic " + base64.b64encode(f"ada:{PASSWORD}".encode()).decode()}
INSECURE = MonitorConfig(insecure=True)


HOSTS = ["evil.example", "localhost.evil.example", "evil.example:5555", "127.0.0.1.evil.example", "a@localhost", ""]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_foreign_host_gets_nothing(open_monitor, method):
    client = open_monitor(INSECURE)

    for host in HOSTS:
        for path in ("/", "/api/v2/me", "/healthz", "/static/css/base.css", "/sign-in"):
            answer = client.request(method, path, headers={"host": host})
            assert answer.status_code == 421, (host, path)
            assert "growbin-jobs" not in answer.text


@pytest.mark.parametrize("host", ["localhost:5555", "localhost", "127.0.0.1:5555", "[::1]:5555", "LOCALHOST:80"])
def test_the_loopback_works_without_settings(open_monitor, host):
    assert open_monitor(INSECURE).get("/", headers={"host": host}).status_code == 200


def test_an_insecure_monitor_answers_to_loopback_names_only(open_monitor):
    client = open_monitor(INSECURE, hosts=("jobs.example.com",))

    assert client.get("/", headers={"host": "192.168.0.7:5555"}).status_code == 421
    assert client.get("/", headers={"host": "jobs.example.com"}).status_code == 421


def test_names_of_the_settings_and_addresses_work_in_a_closed_monitor(open_monitor):
    client = open_monitor(hosts=("Jobs.example.com",), public_url="https://public.example.com")

    for host in ("jobs.example.com", "jobs.example.com.", "public.example.com", "192.168.0.7:5555", "[fe80::1]:5555"):
        assert client.get("/healthz", headers={"host": host}).status_code == 200, host
    assert client.get("/healthz", headers={"host": "other.example.com"}).status_code == 421


FOREIGN = [
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"sec-fetch-site": "nonsense"},
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:8080"},
    {"origin": "http://localhost:5555.evil.example"}, {"origin": "http://evil.example@localhost:5555"},
    {"sec-fetch-site": "cross-site", "origin": "http://localhost:5555"},
    {"sec-fetch-site": "same-origin", "origin": "http://evil.example"},
]  # fmt: skip


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_changes_something_must_come_from_our_pages_whoever_asks(open_monitor, method):
    insecure, closed = open_monitor(INSECURE), open_monitor()

    for headers in FOREIGN:
        assert insecure.request(method, "/access/tokens/revoke", headers=headers).status_code == 403, headers
        assert closed.request(method, "/api/v2/me", headers=headers | BASIC).status_code == 403, headers
        assert closed.request(method, "/sign-in", headers=headers).status_code == 403, headers


def test_scripts_that_say_nothing_of_an_origin_may_ask(open_monitor):
    closed = open_monitor()

    assert closed.post("/api/v2/me", headers=BASIC).status_code == 405  # it arrived: there is no such method
    assert closed.post("/api/v2/me", headers=BASIC | {"sec-fetch-site": "none"}).status_code == 405


def test_a_cookie_without_any_word_of_the_browser_is_worth_nothing(signed_in):
    client = signed_in("ada")
    del client.headers["sec-fetch-site"]

    assert client.post("/language", data={"language": "ko"}).status_code == 403
    own = {"origin": "http://localhost:5555"}
    assert client.post("/language", data={"language": "ko"}, headers=own).status_code == 303


def test_an_origin_by_https_fits_a_monitor_behind_a_proxy(signed_in):
    client = signed_in("ada", host="jobs.example.com", public_url="https://jobs.example.com")
    del client.headers["sec-fetch-site"]

    own, plain = {"origin": "https://jobs.example.com"}, {"origin": "http://jobs.example.com"}
    # The cookie is for https only, so it does not come along here: what counts is whether the gate lets it by.
    assert client.post("/sign-in", headers=own).status_code == 401
    assert client.post("/sign-in", headers=plain).status_code == 403


def test_the_public_address_is_ours_whatever_a_proxy_makes_of_the_host(open_monitor):
    client = open_monitor(public_url="https://jobs.example.com:8443")
    own = {"sec-fetch-site": "same-origin", "origin": "https://jobs.example.com:8443"}

    for host in ("127.0.0.1:5555", "jobs.example.com"):  # as nginx says it by itself, and by $host
        assert client.post("/sign-in", headers=own | {"host": host}).status_code == 401, host
    foreign = client.post("/sign-in", headers=own | {"origin": "https://jobs.example.com"})
    assert (foreign.status_code, "GROWBIN_MONITOR_PUBLIC_URL" in foreign.text) == (403, True)


def test_the_policy_allows_our_own_files_and_nothing_else(open_monitor):
    policy = open_monitor(INSECURE).get("/").headers["content-security-policy"]

    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


@pytest.mark.parametrize("prefix", ["/flower", "/a/b"])
def test_links_carry_the_prefix_whether_a_proxy_strips_it_or_not(open_monitor, prefix):
    client = open_monitor(INSECURE, url_prefix=prefix)
    for below in ("", prefix):
        page = client.get(f"{below}/")
        assert page.status_code == 200
        assert f'href="{prefix}/static/css/base.css' in page.text
        assert 'href="/static' not in page.text
        for path in ("/access", "/api/v2/docs", "/api/v2/me", "/static/css/base.css", "/healthz"):
            assert client.get(f"{below}{path}").status_code == 200, path
        assert client.get(f"{below}/nothing").status_code == 404
    assert client.get(prefix).status_code == 200


def test_who_must_sign_in_comes_back_below_the_prefix(open_monitor):
    client = open_monitor(url_prefix="/flower")

    answer = client.get("/flower/access?x=1")

    assert answer.headers["location"] == "/flower/sign-in?next=%2Faccess%3Fx%3D1"


def test_a_proxy_is_believed_from_its_network_only(open_monitor):
    from ipaddress import ip_network

    proxy = TrustedProxy(networks=(ip_network("10.0.0.0/8"),))
    client = open_monitor(proxy=proxy)

    answer = client.get("/healthz", headers={"x-forwarded-proto": "https"})

    assert "strict-transport-security" not in answer.headers
