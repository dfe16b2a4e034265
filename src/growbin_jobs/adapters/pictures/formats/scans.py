"""Tells of the scans of a JPEG whether something is missing in them, which for libjpeg is a warning that Pillow keeps.

Only what no encoder leaves out or writes counts: a part of the coefficients, restart markers, and bytes of a disk or a
card that were never written. Source: ITU-T T.81 §A.2 (units of a scan), §B.2 (segments), §F.1.2.2, §G.1 (codes).
"""

import re
from collections.abc import Callable
from typing import Final

_DHT, _DRI, _SOS = 0xC4, 0xDD, 0xDA
#: Baseline, extended and progressive Huffman coding.
FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2})
PROGRESSIVE: Final = 0xC2

_COEFFICIENTS: Final = 64
#: Of the codes without a coefficient the one after which its block goes on; after all others it ends.
_SIXTEEN_ZEROS: Final = 15
#: How restart markers follow each other.
_NUMBERED: Final = bytes(range(0xD0, 0xD8))
_RESTART: Final = re.compile(rb"\xff([\xd0-\xd7])")

#: Bytes in a row that show a hole: a sector of zeros, and fill bytes before a byte that is no marker.
UNWRITTEN: Final = bytes(512)
_STEP: Final = 128
_ERASED: Final = b"\xff" * 16 + b"\0"


class Scans:
    """Follows the segments of a JPEG in their order.

    Parameters:
      data: The whole file.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._size = (0, 0)
        self._is_progressive = False
        self._sampling: dict[int, tuple[int, int]] = {}
        self._lowest: dict[int, list[int | None]] = {}  # component to the lowest bit sent of each coefficient
        self._zeros: dict[int, int] = {}  # table to what its code of zeros means
        self._interval = 0
        self._header = b""
        self._pixels = 0
        self._lacks_restarts = False
        self._holes: list[int] = []

    def add(self, marker: int, begin: int, end: int) -> None:
        """Take a segment; the one behind a scan ends it."""
        if self._header:
            self._end_scan(self._header, begin)
        body = self._data[begin + 4 : end] if marker in FRAMES or marker in (_DHT, _DRI, _SOS) else b""
        self._header, self._pixels = (body if marker == _SOS else b""), end
        if marker in FRAMES:
            self._frame(marker, body)
        elif marker == _DRI:
            self._interval = int.from_bytes(body[:2], "big")
        elif marker == _DHT:
            at = 0
            while at + 17 < len(body):
                self._zeros[body[at]] = body[at + 17]
                at += 17 + sum(body[at + 1 : at + 17])

    def lack(self, lacks_before: Callable[[int], bool] | None) -> bool:
        """Return whether something is missing.

        Parameters:
          lacks_before: Says of a place in the only scan whether pixels are missing before it; where none are, padding
            stands there. None: there are more scans, which nobody pads.
        """
        if self._lacks_restarts or any(lowest != 0 for part in self._lowest.values() for lowest in part):
            return True
        return any(lacks_before is None or lacks_before(hole) for hole in self._holes)

    def _frame(self, marker: int, body: bytes) -> None:
        self._size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
        self._is_progressive = marker == PROGRESSIVE
        for at in range(6, len(body) - 2, 3):
            self._sampling[body[at]] = max(1, body[at + 1] >> 4), max(1, body[at + 1] & 15)
            self._lowest[body[at]] = [None] * _COEFFICIENTS

    def _end_scan(self, header: bytes, end: int) -> None:
        count = header[0]
        if len(header) < 4 + 2 * count or not self._sampling:
            return  # the decoder refuses it
        parts, tables = header[1 : 1 + 2 * count : 2], header[2 : 2 + 2 * count : 2]
        first, last, bits = header[1 + 2 * count :][:3]
        if not self._is_progressive:
            first, last, bits = 0, _COEFFICIENTS - 1, 0
        for part in parts:
            if part in self._lowest and first <= last < _COEFFICIENTS:
                self._lowest[part][first : last + 1] = [bits & 15] * (last + 1 - first)
        begin = self._pixels
        if self._interval:
            expected = -(-self._units(parts) // self._interval) - 1
            found = b"".join(_RESTART.findall(self._data[begin:end]))[: max(expected, 0)]
            # Of as many as there are: a header of a few bytes may want 67 million.
            self._lacks_restarts |= len(found) < expected or found != (_NUMBERED * (len(found) // 8 + 1))[: len(found)]
        if bytes(len(UNWRITTEN) // _STEP) in self._data[begin:end:_STEP] and not self._are_flat(tables, first, bits):
            self._add_hole(self._data.find(UNWRITTEN, begin, end))
        self._add_hole(self._data.find(_ERASED, begin, end))

    def _add_hole(self, place: int) -> None:
        if place >= 0:
            self._holes.append(place)

    def _units(self, parts: bytes) -> int:
        """Return how many units a scan codes: blocks of one component, or blocks of all together."""
        wide = max(across for across, _ in self._sampling.values())
        tall = max(down for _, down in self._sampling.values())
        if len(parts) == 1:
            across, down = self._sampling.get(parts[0], (1, 1))
        else:
            across = down = 1
        width, height = self._size
        return -(-width * across // (8 * wide)) * -(-height * down // (8 * tall))

    def _are_flat(self, tables: bytes, first: int, bits: int) -> bool:
        """Return whether zeros may be an even area: no difference, and no coefficient."""
        differences = all(self._zeros.get(each >> 4, 0) == 0 for each in tables)
        ends = (self._zeros.get(0x10 | each & 15, 0) for each in tables)
        if not self._is_progressive:
            return differences and all(each == 0 for each in ends)
        if first == 0:
            return differences or bits >> 4 != 0
        return all(each & 15 == 0 and each >> 4 < _SIXTEEN_ZEROS for each in ends)
