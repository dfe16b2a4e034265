"""Frames that are made and read without pika, held against pika's own."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import frame, spec
from pika.exceptions import ShortStringTooLong
from pika.frame import decode_frame

from growbin_jobs.engine.broker.rabbitmq import frames

CHANNEL = 3
NAMES = st.text(st.characters(codec="utf-8"), max_size=60)


def decoded(data):
    found = []
    while data:
        size, one = decode_frame(data)
        found.append(one)
        data = data[size:]
    return found


@given(queue=NAMES, body=st.binary(max_size=200), message_id=NAMES, priority=st.none() | st.integers(0, 255))
def test_a_publication_is_what_pika_reads(queue, body, message_id, priority):
    method, header, *parts = decoded(frames.publish(CHANNEL, queue, body, message_id, priority, body_max=64))

    assert isinstance(method.method, spec.Basic.Publish)
    assert (method.method.exchange, method.method.routing_key) == ("", queue)
    assert method.method.mandatory
    assert not method.method.immediate
    assert (header.body_size, header.properties.priority) == (len(body), priority)
    assert (header.properties.content_type, header.properties.delivery_mode) == ("application/json", 2)
    assert header.properties.message_id == message_id
    assert b"".join(part.fragment for part in parts) == body
    assert all(len(part.fragment) <= 64 for part in parts)
    assert {one.channel_number for one in (method, header, *parts)} == {CHANNEL}


@pytest.mark.parametrize(("queue", "message_id"), [("q" * 256, "m"), ("q", "m" * 256), ("가" * 86, "m")])
def test_names_that_amqp_cannot_carry_are_refused(queue, message_id):
    with pytest.raises(ShortStringTooLong):
        frames.publish(CHANNEL, queue, b"", message_id, None, body_max=64)


@pytest.mark.parametrize("priority", [-1, 256])
def test_priorities_that_amqp_cannot_carry_are_refused(priority):
    with pytest.raises(ValueError, match="range"):
        frames.publish(CHANNEL, "q", b"", "m", priority, body_max=64)


@given(tag=st.integers(0, 2**64 - 1), flag=st.booleans())
def test_settlements_are_what_pika_reads(tag, flag):
    [ack] = decoded(frames.ack(CHANNEL, tag, multiple=flag))
    [nack] = decoded(frames.nack(CHANNEL, tag, requeue=flag))

    assert isinstance(ack.method, spec.Basic.Ack)
    assert (ack.channel_number, ack.method.delivery_tag, ack.method.multiple) == (CHANNEL, tag, flag)
    assert isinstance(nack.method, spec.Basic.Nack)
    assert (nack.channel_number, nack.method.delivery_tag, nack.method.requeue) == (CHANNEL, tag, flag)
    assert not nack.method.multiple


class Taking:
    def __init__(self):
        self.taken = []

    def delivered(self, tag, redelivered, body):
        self.taken.append(("delivered", tag, redelivered, body))

    def confirmed(self, tag, multiple):
        self.taken.append(("confirmed", tag, multiple))


class Connection(frames.FastConnection):
    """The reading half, without a socket."""

    def __init__(self):
        self._delivered, self._confirmed, self._incoming, self._frame_buffer, self.bytes_received = {}, {}, {}, b"", 0
        self.left_to_pika = []

    def _process_frame(self, frame_value):
        self.left_to_pika.append(frame_value)


def reading():
    connection, reader, closing = Connection(), Taking(), []
    channel = SimpleNamespace(channel_number=CHANNEL, add_on_close_callback=closing.append)
    connection.deliver_to(channel, reader.delivered)
    connection.confirm_to(channel, reader.confirmed)
    return connection, reader, closing


def delivery(tag, redelivered, body, *, part=10, channel=CHANNEL):
    method = spec.Basic.Deliver("ctag1.växel", tag, redelivered, "exchange", "routing.key")
    properties = spec.BasicProperties(content_type="application/json", headers={"a": 1}, message_id="m")
    parts = [body[start : start + part] for start in range(0, len(body), part)]
    made = [frame.Method(channel, method), frame.Header(channel, len(body), properties)]
    return b"".join(one.marshal() for one in [*made, *(frame.Body(channel, each) for each in parts)])


DELIVERIES = st.tuples(st.integers(1, 2**64 - 1), st.booleans(), st.binary(max_size=45)).map(
    lambda each: (delivery(*each), [("delivered", *each)])
)
CONFIRMS = st.tuples(st.integers(1, 2**64 - 1), st.booleans()).map(
    lambda each: (frame.Method(CHANNEL, spec.Basic.Ack(*each)).marshal(), [("confirmed", *each)])
)
PIKAS = st.sampled_from(
    [
        frame.Heartbeat(),
        frame.Method(CHANNEL, spec.Basic.Nack(7)),
        frame.Method(CHANNEL, spec.Basic.QosOk()),
        frame.Method(0, spec.Connection.Blocked("memory")),
        frame.Method(CHANNEL + 1, spec.Basic.Ack(7)),
    ]
).map(lambda each: (each.marshal(), [each]))


def returned(body):
    method = frame.Method(CHANNEL, spec.Basic.Return(312, "NO_ROUTE", "", "queue"))
    bodies = [frame.Body(CHANNEL, body)] if body else []
    frames_of_it = [method, frame.Header(CHANNEL, len(body), spec.BasicProperties(message_id="m")), *bodies]
    return b"".join(one.marshal() for one in frames_of_it), frames_of_it


RETURNS = st.binary(max_size=45).map(returned)


@given(st.lists(DELIVERIES | CONFIRMS | PIKAS | RETURNS, max_size=8), st.data())
def test_whatever_comes_in_whatever_pieces_reaches_whom_it_is_for(sent, data):
    connection, reader, _ = reading()
    stream = b"".join(each for each, _ in sent)
    rest = stream
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        connection._on_data_available(rest[:size])
        rest = rest[size:]

    expected = [event for _, events in sent for event in events]
    assert reader.taken == [event for event in expected if isinstance(event, tuple)]
    assert [repr(each) for each in connection.left_to_pika] == [
        repr(event) for event in expected if not isinstance(event, tuple)
    ]
    assert connection.bytes_received == len(stream)
    assert connection._frame_buffer == b""


def test_a_message_of_a_channel_without_reader_is_pikas():
    connection, reader, _ = reading()

    connection._on_data_available(delivery(1, False, b"body", channel=CHANNEL + 1))

    assert reader.taken == []
    assert len(connection.left_to_pika) == 3


def test_a_closed_channel_is_no_longer_read_but_its_successor_is():
    connection, reader, closing = reading()
    connection._on_data_available(delivery(1, False, b"unfinished")[:-5])
    successor = Taking()
    for close in closing:
        close(None, None)
    connection._frame_buffer = b""
    channel = SimpleNamespace(channel_number=CHANNEL, add_on_close_callback=lambda _: None)
    connection.deliver_to(channel, successor.delivered)
    connection.confirm_to(channel, successor.confirmed)
    for close in closing:
        close(None, None)  # told twice, late

    connection._on_data_available(delivery(1, True, b"next") + frames.ack(CHANNEL, 2, multiple=False))

    assert reader.taken == []
    assert successor.taken == [("delivered", 1, True, b"next"), ("confirmed", 2, False)]


def test_a_damaged_frame_is_pikas_to_complain_about():
    connection, _, _ = reading()
    damaged = delivery(1, False, b"body")[:-1] + b"!"

    with pytest.raises(Exception, match="FRAME_END"):
        connection._on_data_available(damaged)
