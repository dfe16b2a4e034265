"""The publisher's states, whatever RabbitMQ and the network do: nothing is lost, nothing is confirmed that was not."""

import threading
import time
from collections import deque
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker
from pika.frame import decode_frame
from pika.spec import Basic
from tests.whole import examples

from growbin_jobs.engine.broker.errors import BrokerUnavailable, NotConfirmed, QueueMissing
from growbin_jobs.engine.broker.rabbitmq.publication import Publication
from growbin_jobs.engine.broker.rabbitmq.publisher import Publisher


class FakeLink:
    """A link whose thread is the test."""

    def __init__(self, label, parameters, *, on_open, on_refused):
        self.label, self.state, self.closing = label, "not connected: test", False
        self.setting = "GROWBIN_BROKER_URL"
        self.opened, self.refused = on_open, on_refused
        self.calls = deque()
        self.timers = []

    def call(self, what):
        self.calls.append(what)

    def later(self, seconds, what):
        self.timers.append(what)

    def turn(self):
        while self.calls:
            self.calls.popleft()()


class FakeChannel:
    """The server's end: what was written on this channel, by tag."""

    channel_number = 1

    def __init__(self, connection):
        self.connection = connection
        self.is_open = True
        self.written = {}

    def add_on_close_callback(self, callback):
        self.on_close = callback

    def add_on_return_callback(self, callback):
        self.on_return = callback

    def confirm_delivery(self, on_answer, callback):
        self.on_answer = on_answer
        callback(None)

    def basic_publish(self, exchange, queue, body, properties, mandatory):
        assert self.is_open
        assert mandatory
        assert properties.delivery_mode == 2
        self.written[len(self.written) + 1] = (queue, properties)

    def take(self, data):
        """Take frames that were written without pika: the method, the header and a body of one frame each."""
        while data:
            read = []
            for _ in range(3):
                size, frame = decode_frame(data)
                read.append(frame)
                data = data[size:]
            method, header, _body = read
            properties, queue = header.properties, method.method.routing_key
            self.basic_publish("", queue, b"", properties, mandatory=method.method.mandatory)

    def close(self, reason):
        self.is_open = False
        self.on_close(self, reason)


class FakeConnection:
    _body_max_length = 1000

    def __init__(self):
        self.channels = []
        self.is_open = True

    def confirm_to(self, channel, confirmed):
        assert channel is self.channels[-1]

    def _output_marshaled_frames(self, data):
        self.channels[-1].take(b"".join(data))

    def channel(self, on_open_callback):
        channel = FakeChannel(self)
        self.channels.append(channel)
        self.on_channel_open = on_open_callback
        return channel

    def add_on_connection_blocked_callback(self, callback):
        self.on_blocked = callback

    def add_on_connection_unblocked_callback(self, callback):
        self.on_unblocked = callback


def make_publisher():
    with patch("growbin_jobs.engine.broker.rabbitmq.confirm_channel.ManagedConnection", FakeLink):
        return Publisher("test", [])


class Publishing(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.publisher = make_publisher()
        self.link = self.publisher.link
        self.channel = None
        self.blocked = False
        self.publications = []
        self.answered = set()  # tags of the current channel
        self.stored = set()  # ids that the server has taken

    # --- senders

    @rule()
    def send(self):
        publication = Publication("q", b"{}", str(len(self.publications)))
        self.publications.append(publication)
        self.publisher.submit(publication)
        self.link.turn()

    @precondition(lambda self: self.publications)
    @rule(data=st.data())
    def give_up(self, data):
        data.draw(st.sampled_from(self.publications)).confirmed.cancel()

    # --- the server and the network

    @precondition(lambda self: self.channel is None)
    @rule()
    def connect(self):
        connection = FakeConnection()
        self.link.opened(connection)
        self._channel_opens(connection)

    def _channel_opens(self, connection):
        self.channel = connection.channels[-1]
        self.answered = set()
        connection.on_channel_open(self.channel)
        self.link.turn()

    def _unanswered(self):
        return [tag for tag in self.channel.written if tag not in self.answered] if self.channel else []

    @precondition(lambda self: self._unanswered())
    @rule(data=st.data(), multiple=st.booleans())
    def confirm(self, data, multiple):
        last = data.draw(st.sampled_from(self._unanswered()))
        self._answer(Basic.Ack, last, multiple)

    @precondition(lambda self: self._unanswered())
    @rule(data=st.data(), multiple=st.booleans())
    def cannot_store(self, data, multiple):
        last = data.draw(st.sampled_from(self._unanswered()))
        self._answer(Basic.Nack, last, multiple)

    def _answer(self, kind, last, multiple):
        tags = [tag for tag in self._unanswered() if (tag <= last if multiple else tag == last)]
        self.answered.update(tags)
        if kind is Basic.Ack:
            self.stored.update(self.channel.written[tag][1].message_id for tag in tags)
        self.channel.on_answer(SimpleNamespace(method=kind(last, multiple)))

    @precondition(lambda self: self._unanswered())
    @rule(data=st.data())
    def has_no_queue(self, data):
        tag = data.draw(st.sampled_from(self._unanswered()))
        queue, properties = self.channel.written[tag]
        self.channel.on_return(self.channel, Basic.Return(routing_key=queue), properties, b"{}")
        self.answered.add(tag)
        self.channel.on_answer(SimpleNamespace(method=Basic.Ack(tag)))

    @precondition(lambda self: self.channel is not None)
    @rule()
    def lose_connection(self):
        channel, self.channel, self.blocked = self.channel, None, False
        channel.close(ConnectionClosedByBroker(320, "CONNECTION_FORCED"))

    @precondition(lambda self: self.channel is not None)
    @rule()
    def close_channel(self):
        connection = self.channel.connection
        self.channel.close(ChannelClosedByBroker(403, "ACCESS_REFUSED"))
        self._channel_opens(connection)

    @precondition(lambda self: self.channel is not None and not self.blocked)
    @rule()
    def raise_alarm(self):
        self.blocked = True
        self.channel.connection.on_blocked(None, SimpleNamespace(method=SimpleNamespace(reason="low on memory")))

    @precondition(lambda self: self.channel is not None and self.blocked)
    @rule()
    def end_alarm(self):
        self.blocked = False
        self.channel.connection.on_unblocked(None, None)
        self.link.turn()

    @rule()
    def time_passes(self):
        timers, self.link.timers = self.link.timers, []
        for timer in timers:
            timer()
        self.link.turn()

    # --- what holds

    @invariant()
    def everything_is_done_or_in_one_place(self):
        waiting, unconfirmed = list(self.publisher.channel._waiting), list(self.publisher.channel._unconfirmed.values())
        for publication in self.publications:
            places = (waiting + unconfirmed).count(publication)
            assert places == 1 or (publication.confirmed.done() and places <= 1)

    @invariant()
    def what_is_confirmed_is_stored(self):
        for publication in self.publications:
            future = publication.confirmed
            if future.done() and not future.cancelled() and future.exception() is None:
                assert publication.message_id in self.stored

    @invariant()
    def what_is_said_not_to_be_sent_is_not(self):
        for publication in self.publications:
            if publication.message_id in self.stored:
                assert publication.sent

    def teardown(self):
        """When all is well again, nobody is left waiting."""
        if self.channel is None:
            self.connect()
        if self.blocked:
            self.end_alarm()
        self.time_passes()
        while self._unanswered():
            self._answer(Basic.Ack, self._unanswered()[-1], multiple=True)
            self.time_passes()
        assert all(publication.confirmed.done() for publication in self.publications)


TestPublishing = Publishing.TestCase
TestPublishing.settings = settings(max_examples=examples(60), stateful_step_count=40, deadline=None)


def test_what_was_never_written_was_not_sent():
    publisher = make_publisher()
    with pytest.raises(BrokerUnavailable, match="It was not sent"):
        publisher.publish(Publication("q", b"{}", "id"), timeout=0.01)
    # And it does not wait in memory for a server that may stay away
    publisher.link.turn()
    assert not publisher.channel._waiting


def test_what_was_written_may_have_arrived():
    publisher = make_publisher()
    connection = FakeConnection()
    publisher.link.opened(connection)
    connection.on_channel_open(connection.channels[-1])
    publication = Publication("q", b"{}", "id")
    publisher.channel.accept(publication)
    with (
        patch.object(publisher, "submit", return_value=publication.confirmed),
        pytest.raises(NotConfirmed, match="may or may not"),
    ):
        publisher.publish(publication, timeout=0.01)


def test_who_is_impatient_does_not_wait_for_a_silent_rabbitmq():
    publisher = make_publisher()
    with pytest.raises(BrokerUnavailable):
        publisher.publish(Publication("q", b"{}", "id"), timeout=1000.0, patience=0.01)


def test_who_is_impatient_waits_while_rabbitmq_confirms_other_messages():
    publisher = make_publisher()
    connection = FakeConnection()
    publisher.link.opened(connection)
    connection.on_channel_open(connection.channels[-1])
    others, own = Publication("q", b"{}", "1"), Publication("q", b"{}", "2")
    publisher.channel.accept(others)

    def confirm_others_and_then_it():
        publisher.link.turn()
        for _ in range(30):
            publisher.channel._confirmed(1, multiple=False)
            time.sleep(0.1)
        publisher.channel._confirmed(2, multiple=False)

    answering = threading.Timer(0.1, confirm_others_and_then_it)
    answering.start()
    publisher.publish(own, timeout=1000.0, patience=2.0)  # raises where the silence counts from its own beginning
    answering.join()


def test_a_returned_message_is_an_error_and_its_neighbour_is_not():
    publisher = make_publisher()
    connection = FakeConnection()
    publisher.link.opened(connection)
    channel = connection.channels[-1]
    connection.on_channel_open(channel)
    lost, kept = Publication("gone", b"{}", "1"), Publication("q", b"{}", "2")
    publisher.channel.accept(lost)
    publisher.channel.accept(kept)
    publisher.link.turn()

    channel.on_return(channel, Basic.Return(routing_key="gone"), channel.written[1][1], b"{}")
    channel.on_answer(SimpleNamespace(method=Basic.Ack(2, multiple=True)))

    assert isinstance(lost.confirmed.exception(), QueueMissing)
    assert kept.confirmed.result() is None
