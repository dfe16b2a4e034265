"""Addresses of RabbitMQ servers: what cannot be meant is refused, and no password is ever repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from growbin_jobs.engine.broker.rabbitmq.servers import parse_urls, shown
from growbin_jobs.engine.errors import ConfigurationError

SECRET = "s3cretw0rd"


@pytest.mark.parametrize(
    "url",
    [
        "",
        ";",
        "amqp://",
        "amqp:///vhost",
        f"amqp://user:{SECRET}@",
        f"amqp://user:{SECRET}@/vhost",
        f"http://user:{SECRET}@host/vhost",
        f"user:{SECRET}@host",
        f"amqp:user:{SECRET}@host",
        f"amqp://user:{SECRET}@host:port/v",
        f"amqp://user:{SECRET}@host:0/v",
        f"amqp://user:{SECRET}@host:99999/v",
        f"amqp://user:{SECRET}@host/v/w",
        f"amqp://user:{SECRET}@host/v#part",
        f"amqp://user:{SECRET}@host/?heartbeat=often",
        f"amqp://user:{SECRET}@host/?socket_timeout=nan",
        f"amqp://user:1/{SECRET}@host/v",
        f"amqp://user:1?{SECRET}@host/v",
        f"amqp://user:1#{SECRET}@host/v",
        f"amqp://user:{SECRET};x@host/v",
        f"amqp://user:{SECRET}[@host/v",
    ],
)
def test_an_address_that_cannot_be_meant(url):
    with pytest.raises(ConfigurationError) as refused:
        parse_urls(url)

    assert "GROWBIN_BROKER_URL" in str(refused.value)
    assert SECRET not in str(refused.value)
    assert refused.value.__context__ is None or refused.value.__suppress_context__


def test_what_is_shown_has_no_password():
    [server] = parse_urls(f"amqp://me:{SECRET}@host:5673/my%2Fhost?heartbeat=5")

    assert shown(server) == "me@host:5673 vhost 'my/host'"


@pytest.mark.parametrize("path", ["", "/", "//", "/%2F"])
def test_the_ways_to_write_the_usual_virtual_host(path):
    [server] = parse_urls(f"amqp://me:x@host{path}")

    assert server.virtual_host == "/"


@given(st.text(max_size=30), st.text(max_size=10))
def test_no_text_leads_to_a_server_that_was_not_named(password, rest):
    try:
        servers = parse_urls(f"amqp://user:{password}@host{rest};")
    except ConfigurationError:
        return
    for server in servers:
        assert server.host not in ("localhost", "")
