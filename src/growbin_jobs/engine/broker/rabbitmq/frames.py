"""Writes and reads the few AMQP frames that each message needs without pika's objects.

pika makes some thirty objects and three system calls for a message that it publishes, and as many for one that it
delivers. These make one piece of bytes for all that is written in a turn, and take deliveries and confirms straight out
of what was read. Everything else, from the handshake to errors, heartbeats and returned messages, stays pika's.

This uses private parts of pika 1.x (``_on_data_available``, ``_output_marshaled_frames``, ``_MAX_RECV_BYTES``). Set
:data:`FAST` to False before the first connection to let pika do all of it by its public interface, slower: for a pika
in which they changed.

AMQP 0-9-1, sections 4.2.3 (frames) and 1.8 of its XML (class basic). The tests hold them against pika's own.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from pika.adapters.select_connection import SelectConnection
from pika.channel import Channel
from pika.exceptions import ShortStringTooLong
from pika.frame import decode_frame

#: False: connections are pika's own, and no private part of pika is used.
FAST = True

#: Bytes that are read at once. pika reads 4 KiB: some seven messages, and the eighth in pieces.
READ = 65_536

METHOD, HEADER, BODY, END = 1, 2, 3, b"\xce"
BASIC = 60

_FRAME = struct.Struct(">BHI")  # type, channel, size of the payload
_HEADER = struct.Struct(">HHQH")  # class, weight, size of the body, flags of the properties that follow
_HEADER_FRAME = struct.Struct(">BHIHHQ")  # the same with its frame, without the flags
_SETTLE = struct.Struct(">BHIHHQBB")  # a whole frame: class, method, tag, bits, end
_DELIVERY = struct.Struct(">QB")  # tag, redelivered

_DELIVER = struct.pack(">HH", BASIC, 60)
_ACK = struct.pack(">HH", BASIC, 80)

#: Bits of the properties that are set: content_type, delivery_mode, priority, message_id.
_CONTENT_TYPE, _DELIVERY_MODE, _PRIORITY, _MESSAGE_ID = 1 << 15, 1 << 12, 1 << 11, 1 << 7

_JSON = b"application/json"
_JSON_PERSISTENT = bytes((len(_JSON),)) + _JSON + b"\x02"


def publish(channel: int, queue: str, body: bytes, message_id: str, priority: int | None, body_max: int) -> bytes:
    """Return a persistent JSON message for the default exchange, mandatory.

    Parameters:
      channel: Its number.
      body_max: Bytes of the body that one frame may carry.

    Raises:
      ShortStringTooLong: If a name has more than 255 bytes.
      ValueError: If the priority is none of 0 to 255.
    """
    flags = _CONTENT_TYPE | _DELIVERY_MODE | _MESSAGE_ID
    properties = _JSON_PERSISTENT
    if priority is not None:
        flags |= _PRIORITY
        properties += bytes((priority,))
    size = len(body)
    header = _HEADER.pack(BASIC, 0, size, flags) + properties + _short(message_id)
    parts = [_publish_method(channel, queue), _FRAME.pack(HEADER, channel, len(header)), header, END]
    whole = 0 < size <= body_max  # nearly always, and a copy of the body is spared
    for piece in (body,) if whole else [body[start : start + body_max] for start in range(0, size, body_max)]:
        parts += (_FRAME.pack(BODY, channel, len(piece)), piece, END)
    return b"".join(parts)


@lru_cache(maxsize=1024)
def _publish_method(channel: int, queue: str) -> bytes:
    # Reserved, no exchange, the queue, mandatory.
    payload = struct.pack(">HHHB", BASIC, 40, 0, 0) + _short(queue) + b"\x01"
    return _FRAME.pack(METHOD, channel, len(payload)) + payload + END


def _short(name: str) -> bytes:
    encoded = name.encode()
    if len(encoded) > 255:
        raise ShortStringTooLong(encoded)
    return bytes((len(encoded),)) + encoded


def ack(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Return the acknowledgement of a delivery, or of all up to it."""
    return _SETTLE.pack(METHOD, channel, 13, BASIC, 80, tag, multiple, END[0])


def nack(channel: int, tag: int, *, requeue: bool) -> bytes:
    """Return the rejection of one delivery."""
    return _SETTLE.pack(METHOD, channel, 13, BASIC, 120, tag, 2 * requeue, END[0])


def write(channel: Channel, data: bytes) -> None:
    """Write frames of a channel, behind everything that pika has written before. On the link's thread."""
    channel.connection._output_marshaled_frames([data])


#: Takes a message: its tag, whether RabbitMQ has delivered it before, its body.
Delivered = Callable[[int, bool, bytes], None]

#: Takes the confirm of a publication: its tag, and whether it holds for all before it too.
Confirmed = Callable[[int, bool], None]


class _Incoming:
    """A message of which not everything has arrived."""

    __slots__ = ("left", "parts", "redelivered", "tag")

    def __init__(self, tag: int, redelivered: bool) -> None:
        self.tag = tag
        self.redelivered = redelivered
        self.left = -1  # bytes of its body; not known before its header
        self.parts: list[bytes] = []


class FastConnection(SelectConnection):  # type: ignore[misc]
    """pika's connection, with a short way for deliveries and confirms."""

    _frame_buffer: bytes

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._delivered: dict[int, Delivered] = {}
        self._confirmed: dict[int, Confirmed] = {}
        self._incoming: dict[int, _Incoming] = {}
        super().__init__(*args, **kwargs)

    def _proto_connection_made(self, transport: Any) -> None:
        transport._MAX_RECV_BYTES = READ
        super()._proto_connection_made(transport)

    def deliver_to(self, channel: Channel, delivered: Delivered) -> None:
        """Give a channel's deliveries to a function, and not to pika's callbacks, until it closes."""
        number = channel.channel_number
        self._delivered[number] = delivered

        def forget(*_: object) -> None:
            if self._delivered.get(number) is delivered:  # the number may be another channel's by now
                del self._delivered[number]
                self._incoming.pop(number, None)

        channel.add_on_close_callback(forget)

    def confirm_to(self, channel: Channel, confirmed: Confirmed) -> None:
        """Give a channel's confirms to a function, and not to pika's callbacks, until it closes."""
        number = channel.channel_number
        self._confirmed[number] = confirmed

        def forget(*_: object) -> None:
            if self._confirmed.get(number) is confirmed:
                del self._confirmed[number]

        channel.add_on_close_callback(forget)

    def _on_data_available(self, data_in: bytes) -> None:
        data = self._frame_buffer + data_in if self._frame_buffer else data_in
        at, length = 0, len(data)
        self._frame_buffer = b""
        while length - at >= 8:
            kind, channel, size = _FRAME.unpack_from(data, at)
            end = at + 8 + size
            if data[at : at + 4] == b"AMQP" or end > length:
                break
            if kind == METHOD and (after := self._read_delivery(channel, data, at, end, length)):
                self.bytes_received += after - at
                at = after
                continue
            if data[end - 1] != END[0] or not self._read(kind, channel, data, at + 7):
                self._process_frame(decode_frame(data[at:end])[1])
            self.bytes_received += end - at
            at = end
        rest = data[at:]
        if rest[:4] == b"AMQP":  # the server speaks another version, and pika says so
            super()._on_data_available(rest)
        else:
            self._frame_buffer = rest

    def _read_delivery(self, channel: int, data: bytes, at: int, head: int, length: int) -> int:
        """Take a delivery whose frames are all here, with one frame for its body, as nearly all are.

        Parameters:
          at: Where its first frame begins.
          head: Where its second one begins.
          length: Of the data.

        Returns:
          Where the next frame begins; 0 if this is anything else, which :meth:`_read` takes frame by frame.
        """
        if data[at + 7 : at + 11] != _DELIVER or length - head < _HEADER_FRAME.size:
            return 0
        delivered = self._delivered.get(channel)
        kind, of_channel, size, _, _, left = _HEADER_FRAME.unpack_from(data, head)
        body = head + 8 + size
        if delivered is None or kind != HEADER or of_channel != channel or length - body < left + 8:
            return 0
        kind, of_channel, size = _FRAME.unpack_from(data, body)
        end: int = body + 7 + left
        if kind != BODY or of_channel != channel or size != left:
            return 0
        if not data[head - 1] == data[body - 1] == data[end] == END[0]:
            return 0
        tag, redelivered = _DELIVERY.unpack_from(data, at + 12 + data[at + 11])  # behind the consumer's tag
        delivered(tag, redelivered != 0, data[body + 7 : end])
        return end + 1

    def _read(self, kind: int, channel: int, data: bytes, at: int) -> bool:
        """Take the frame whose payload begins at a place; False if it is pika's."""
        if kind == METHOD:
            return self._read_method(channel, data, at)
        incoming = self._incoming.get(channel)
        if incoming is None:
            return False
        if kind == HEADER:
            incoming.left = _HEADER.unpack_from(data, at)[2]
        elif kind == BODY:
            size = _FRAME.unpack_from(data, at - 7)[2]
            incoming.parts.append(data[at : at + size])
            incoming.left -= size
        else:
            return False
        if incoming.left == 0:
            del self._incoming[channel]
            self._delivered[channel](incoming.tag, incoming.redelivered, b"".join(incoming.parts))
        return True

    def _read_method(self, channel: int, data: bytes, at: int) -> bool:
        method = data[at : at + 4]
        if method == _DELIVER and channel in self._delivered:
            place = at + 5 + data[at + 4]  # behind the consumer's tag
            tag, redelivered = _DELIVERY.unpack_from(data, place)
            self._incoming[channel] = _Incoming(tag, bool(redelivered))
            return True
        if method == _ACK and channel in self._confirmed:
            tag, multiple = _DELIVERY.unpack_from(data, at + 4)
            self._confirmed[channel](tag, bool(multiple))
            return True
        return False


def connection_class() -> type[SelectConnection]:
    """Return what connections are made of."""
    return FastConnection if FAST else SelectConnection


def is_fast(channel: Channel) -> bool:
    """Return whether a channel's frames may be written and read here."""
    return isinstance(channel.connection, FastConnection)
