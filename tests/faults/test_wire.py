"""Whoever looks for what consumers hold must see it, or "nothing is held" proves nothing."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pika

from faults.links import Link
from faults.processes import await_that
from faults.wire import Wire


def becomes(number: int, link: Link) -> bool:
    return await_that(lambda: link.held == number, 10)


def test_deliveries_are_held_until_they_are_acknowledged_or_rejected(rabbitmq_url):
    link = Link(rabbitmq_url)
    with pika.BlockingConnection(pika.URLParameters(link.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("q")
        for _ in range(9):
            channel.basic_publish("", "q", b"x" * 200_000)  # in several frames
        tags = [method.delivery_tag for method, _, _ in (next(channel.consume("q")) for _ in range(9))]
        held = [link.held]
        settle: list[Callable[[], None]] = [
            lambda: channel.basic_ack(tags[4]),
            lambda: channel.basic_ack(tags[2], multiple=True),
            lambda: channel.basic_reject(tags[3], requeue=False),
            lambda: channel.basic_nack(tags[6], multiple=True, requeue=False),
        ]
        for do, left in zip(settle, (8, 5, 4, 2), strict=True):
            do()
            assert becomes(left, link), link.held
        channel.close()

        assert held == [9]
        assert becomes(0, link)
    link.close()


def test_what_a_lost_connection_held_is_not_held_any_more(rabbitmq_url):
    link = Link(rabbitmq_url)
    connection = pika.BlockingConnection(pika.URLParameters(link.url))
    channel = connection.channel()
    channel.queue_declare("q")
    channel.basic_publish("", "q", b"x")
    next(channel.consume("q"))

    assert link.held == 1
    link.cut()

    assert becomes(0, link)
    link.close()


def test_pieces_of_any_size_are_the_same_to_it():
    payload = b"\0\x3c\0\x3c" + b"\x02ab" + struct.pack(">Q", 7) + b"\0" + b"\0" + b"\x01q"
    wire = Wire()

    for byte in struct.pack(">BHI", 1, 1, len(payload)) + payload + b"\xce":
        wire.feed("from", bytes([byte]))

    assert wire.held == 1
