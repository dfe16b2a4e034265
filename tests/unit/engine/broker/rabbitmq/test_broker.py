"""What the RabbitMQ broker decides without a server."""

import threading

import pytest
from dramatiq import Middleware
from pika.exceptions import ChannelClosedByBroker, ProbableAuthenticationError

from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable, QueueMismatch, QueueMissing
from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
from growbin_jobs.engine.broker.rabbitmq.errors import explain, is_refusal, refused
from growbin_jobs.engine.broker.rabbitmq.managed_connection import ManagedConnection
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.servers import BLOCKED_TIMEOUT, labelled, parse_urls
from growbin_jobs.engine.broker.rabbitmq.topology import arguments
from growbin_jobs.engine.delivery.admission import MAX_BODY
from growbin_jobs.engine.errors import ConfigurationError

NOBODY = "amqp://user:pass-word@127.0.0.1:1/vhost"


def test_a_broker_that_is_not_used_starts_nothing(monkeypatch):
    mine, started, start = threading.get_ident(), [], threading.Thread.start

    def noted(thread):
        if threading.get_ident() == mine:  # what another test has left behind may start a thread too
            started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", noted)

    broker = RabbitBroker(url=NOBODY, middleware=[])
    broker.declare_queue("q")
    broker.close()

    assert started == []


def test_declaring_a_queue_tells_the_middleware_once():
    told = []

    class Listening(Middleware):
        def before_declare_queue(self, broker, queue_name):
            told.append(("before", queue_name))

        def after_declare_queue(self, broker, queue_name):
            told.append(("after", queue_name))

        def after_declare_delay_queue(self, broker, queue_name):
            told.append(("delay", queue_name))  # Dramatiq's worker would consume it

    broker = RabbitBroker(url=NOBODY, middleware=[Listening()])
    broker.declare_queue("q")
    broker.declare_queue("q")

    assert told == [("before", "q"), ("after", "q")]
    assert broker.get_declared_queues() == {"q"}
    assert broker.get_declared_delay_queues() == set()


def test_several_addresses_and_their_options():
    first, second = parse_urls("amqp://a:b@one:5673/v?heartbeat=7; amqps://two/%2F?blocked_connection_timeout=9")

    assert (first.host, first.port, first.virtual_host, first.heartbeat) == ("one", 5673, "v", 7)
    assert first.blocked_connection_timeout == BLOCKED_TIMEOUT
    assert (second.host, second.port, second.ssl_options is not None) == ("two", 5671, True)
    assert second.blocked_connection_timeout == 9


@pytest.mark.parametrize("url", ["", ";", "amqp://user:pass-word@host:port/", f"{NOBODY};http://user:pass-word@host/"])
def test_an_address_that_is_none_is_a_wrong_setting_and_stays_secret(url):
    with pytest.raises(ConfigurationError, match="GROWBIN_BROKER_URL") as caught:
        parse_urls(url)
    assert "pass-word" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_queue_comes_after_what_it_needs():
    assert list(arguments("q", "quorum")) == ["q.XQ", "q"]


def test_quorum_queues_lose_no_dead_letter_and_count_no_restarts():
    own = arguments("q", "quorum")

    assert own["q"]["x-dead-letter-routing-key"] == "q.XQ"
    assert own["q"]["x-dead-letter-strategy"] == "at-least-once"
    assert own["q"]["x-overflow"] == "reject-publish"
    assert own["q"]["x-delivery-limit"] > 10**6
    assert own["q.XQ"] == {"x-queue-type": "quorum"}


def test_classic_queues_are_told_nothing_that_they_do_not_know():
    keys = {key for each in arguments("q", "classic").values() for key in each}
    assert keys == {"x-queue-type", "x-dead-letter-exchange", "x-dead-letter-routing-key"}


@pytest.mark.parametrize(
    ("code", "text", "kind", "hint"),
    [
        (404, "NOT_FOUND - no queue 'q'", QueueMissing, "no queue 'q'"),
        (406, "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for 'q'", QueueMismatch, "GROWBIN_QUEUE_TYPE"),
        (406, "PRECONDITION_FAILED - delivery acknowledgement timed out", BrokerUnavailable, "timed out"),
        (403, "ACCESS_REFUSED - access to queue 'q' refused", BrokerRefused, "permissions"),
    ],
)  # fmt: skip
def test_a_closed_channel_is_explained(code, text, kind, hint):
    error = explain(ChannelClosedByBroker(code, text))
    assert type(error) is kind
    assert hint in str(error)


def test_sentences_name_the_settings_of_the_engine_whose_they_are():
    [server] = parse_urls(NOBODY, "SHOP_BROKER_URL")
    link = ManagedConnection("test", [server])
    link.close()
    mismatch, forbidden = "PRECONDITION_FAILED - inequivalent arg 'x-overflow' for 'q'", "ACCESS_REFUSED - to queue 'q'"

    assert "Set SHOP_QUEUE_TYPE" in str(explain(ChannelClosedByBroker(406, mismatch), link.setting))
    assert "the user of SHOP_BROKER_URL" in str(explain(ChannelClosedByBroker(403, forbidden), link.setting))
    assert "vhost in SHOP_BROKER_URL" in str(refused([labelled(server, "test")], OSError("(530)")))


def test_only_a_refusal_is_one():
    # pika takes every loss during the login for a wrong password.
    assert is_refusal(
        ProbableAuthenticationError("ConnectionClosedByBroker: (403) 'ACCESS_REFUSED - Login was refused'")
    )
    assert not is_refusal(ProbableAuthenticationError("ConnectionClosedByBroker: (320) 'CONNECTION_FORCED - shutdown'"))
    assert not is_refusal(ProbableAuthenticationError("StreamLostError: ('Transport indicated EOF',)"))
    assert "pass-word" not in str(refused(parse_urls(NOBODY), OSError("no")))


def test_a_message_that_would_close_the_channel_is_refused_here():
    Publication("q", b"x" * MAX_BODY, "id")
    with pytest.raises(ValueError, match="object store"):
        Publication("q", b"x" * (MAX_BODY + 1), "id")
