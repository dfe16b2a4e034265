"""The table of items in a HEIC's ``meta`` box: their kinds, properties, bytes, and what they are made of.

Source: ISO/IEC 14496-12 §8.11.3 (``iloc``), §8.11.6 (``iinf``), §8.11.12 (``iref``), §8.11.14 (``iprp``).
"""

from collections.abc import Iterator
from typing import Final

from growbin_jobs.adapters.pictures.formats import MAX_PARTS, count_part, damaged
from growbin_jobs.errors import PictureRefused

#: Boxes of ``meta`` of which a second one might count for the decoder and not for us, or the other way round.
_ONCE: Final = frozenset({b"iloc", b"iinf", b"iref", b"iprp", b"idat"})

Extents = tuple[int, list[tuple[int, int]]]


def boxes(data: bytes, begin: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, begin, end) of each box's body between two places. Raises PictureRefused where one is damaged."""
    parts = 0
    while begin + 8 <= end:
        parts = count_part(parts)
        length, name, head = number(data, begin, 4), data[begin + 4 : begin + 8], 8
        if length == 1:
            length, head = number(data, begin + 8, 8), 16
        elif length == 0:
            length = end - begin
        if length < head or begin + length > end:
            raise damaged()
        yield name, begin + head, begin + length
        begin += length


def number(data: bytes, at: int, size: int) -> int:
    """Return an unsigned number of some bytes. Raises PictureRefused where the data end before."""
    if at < 0 or at + size > len(data):
        raise damaged()
    return int.from_bytes(data[at : at + size], "big")


class _Cursor:
    """Reads numbers one after the other, and counts how often a list was entered."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._at = 0
        self._parts = 0

    def take(self, size: int) -> int:
        value = number(self._body, self._at, size)
        self._at += size
        return value

    def times(self, count: int) -> range:
        self._parts += count
        if self._parts > MAX_PARTS:
            raise PictureRefused("picture_too_many_parts", limit=MAX_PARTS)
        return range(count)


class Items:
    """What a ``meta`` box says.

    Attributes:
      kinds: Item to its four letters.
      properties: All of them, (name, body); they are numbered from 1.
      properties_of: Item to the numbers of its properties.
      made_of: Item to those it is derived of (``dimg``).

    Raises:
      PictureRefused: Damaged, ambiguous, or made of too many parts.
    """

    def __init__(self, data: bytes, begin: int, end: int) -> None:
        self._data = data
        self.kinds: dict[int, bytes] = {}
        self.properties: list[tuple[bytes, bytes]] = []
        self.properties_of: dict[int, list[int]] = {}
        self.made_of: dict[int, list[int]] = {}
        self._places: dict[int, Extents] = {}
        self._idat = b""
        found: set[bytes] = set()
        for name, at, stop in boxes(data, begin + 4, end):
            if name not in _ONCE:
                continue
            if name in found:
                raise damaged()
            found.add(name)
            self._take(name, at, stop)

    def end(self) -> int:
        """Return where the last byte of an item stands in the file."""
        ends = [
            offset + length if length else len(self._data)  # without a length it goes to the file's end
            for method, extents in self._places.values()
            if method == 0
            for offset, length in extents
        ]
        return max(ends, default=0)

    def content(self, item: int) -> bytes:
        """Return the bytes of an item, its extents joined."""
        method, extents = self._places.get(item, (0, []))
        source = {0: self._data, 1: self._idat}.get(method)
        if source is None:
            raise damaged()
        pieces = []
        left = len(source)
        for offset, length in extents:
            piece = source[offset : offset + length] if length else source[offset:]
            left -= len(piece)
            if left < 0 or len(piece) < length:
                raise damaged()
            pieces.append(piece)
        return b"".join(pieces)

    def _take(self, name: bytes, at: int, stop: int) -> None:
        body = self._data[at:stop]
        if name == b"iloc":
            self._take_places(body)
        elif name == b"idat":
            self._idat = body
        elif name == b"iinf":
            head = 6 if number(body, 0, 1) == 0 else 8
            for kind, begin, end in boxes(self._data, at + head, stop):
                if kind == b"infe":
                    self._take_kind(self._data[begin:end])
        elif name == b"iref":
            wide = 4 if number(body, 0, 1) else 2
            for kind, begin, end in boxes(self._data, at + 4, stop):
                if kind == b"dimg":
                    self._take_reference(self._data[begin:end], wide)
        else:
            self._take_properties(at, stop)

    def _take_properties(self, at: int, stop: int) -> None:
        for name, begin, end in boxes(self._data, at, stop):
            if name == b"ipco":
                if self.properties:
                    raise damaged()
                self.properties = [(kind, self._data[a:b]) for kind, a, b in boxes(self._data, begin, end)]
            elif name == b"ipma":
                self._take_associations(self._data[begin:end])

    def _take_kind(self, body: bytes) -> None:
        wide = {2: 2, 3: 4}.get(number(body, 0, 1))
        if wide is None:
            raise damaged()
        item = number(body, 4, wide)
        if item in self.kinds:
            raise damaged()
        self.kinds[item] = body[6 + wide : 10 + wide]

    def _take_reference(self, body: bytes, wide: int) -> None:
        cursor = _Cursor(body)
        item = cursor.take(wide)
        if item in self.made_of:
            raise damaged()
        self.made_of[item] = [cursor.take(wide) for _ in cursor.times(cursor.take(2))]

    def _take_associations(self, body: bytes) -> None:
        cursor = _Cursor(body)
        version, flags = cursor.take(1), cursor.take(3)
        for _ in cursor.times(cursor.take(4)):
            item = cursor.take(4 if version else 2)
            numbers = self.properties_of.setdefault(item, [])
            for _ in cursor.times(cursor.take(1)):
                numbers.append(cursor.take(2) & 0x7FFF if flags & 1 else cursor.take(1) & 0x7F)

    def _take_places(self, body: bytes) -> None:
        cursor = _Cursor(body)
        version = cursor.take(1)
        cursor.take(3)
        sizes, more = cursor.take(1), cursor.take(1)
        offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
        index_size = more & 15 if version else 0
        for _ in cursor.times(cursor.take(2 if version < 2 else 4)):
            item = cursor.take(2 if version < 2 else 4)
            method = cursor.take(2) & 15 if version else 0
            cursor.take(2)
            base = cursor.take(base_size)
            extents = []
            for _ in cursor.times(cursor.take(2)):
                cursor.take(index_size)
                extents.append((base + cursor.take(offset_size), cursor.take(length_size)))
            if item in self._places:
                raise damaged()
            self._places[item] = method, extents
