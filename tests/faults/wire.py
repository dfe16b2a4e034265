"""What consumers hold, as the wire shows it: the AMQP 0-9-1 frames of a connection, read on their way."""

from __future__ import annotations

import struct
import threading
from collections import defaultdict
from typing import Literal

Direction = Literal["to", "from"]

_FRAME = struct.Struct(">BHI")  # type, channel, size of the payload; one more byte ends the frame
_METHOD = struct.Struct(">HH")
_TAG = struct.Struct(">Q")

_METHOD_FRAME = 1
_GREETING = b"AMQP\0\0\x09\x01"

_CHANNEL_CLOSE = (20, 40)
_DELIVER, _GET_OK = (60, 60), (60, 71)
_ACK, _REJECT, _NACK = (60, 80), (60, 90), (60, 120)


class Wire:
    """One connection. Feed it what goes to the server after it went, and what comes from it before it arrives."""

    def __init__(self) -> None:
        self._rest: dict[Direction, bytes] = {"to": b"", "from": b""}
        self._lock = threading.Lock()
        self._held: dict[int, set[int]] = defaultdict(set)

    @property
    def held(self) -> int:
        """How many deliveries are neither acknowledged nor rejected."""
        with self._lock:
            return sum(map(len, self._held.values()))

    def feed(self, direction: Direction, data: bytes) -> None:
        """Take what has passed, in pieces of any size."""
        rest = self._rest[direction] + data
        if rest.startswith(_GREETING):
            rest = rest[len(_GREETING) :]
        start = 0
        while len(rest) - start >= _FRAME.size:
            kind, channel, size = _FRAME.unpack_from(rest, start)
            end = start + _FRAME.size + size + 1
            if len(rest) < end:
                break
            if kind == _METHOD_FRAME:
                self._method(channel, rest[start + _FRAME.size : end - 1])
            start = end
        self._rest[direction] = rest[start:]

    def _method(self, channel: int, payload: bytes) -> None:
        method = _METHOD.unpack_from(payload)
        with self._lock:
            held = self._held[channel]
            if method == _DELIVER:
                held.add(_TAG.unpack_from(payload, 5 + payload[4])[0])  # after the consumer's tag
            elif method == _GET_OK:
                held.add(_TAG.unpack_from(payload, 4)[0])
            elif method in (_ACK, _NACK):
                tag, several = _TAG.unpack_from(payload, 4)[0], payload[12] & 1
                settled = {each for each in held if each <= tag or tag == 0} if several else {tag}
                held -= settled
            elif method == _REJECT:
                held.discard(_TAG.unpack_from(payload, 4)[0])
            elif method == _CHANNEL_CLOSE:
                held.clear()
