"""The boxes of a HEIC: how large the pictures in it are before they are cropped, and what they are put together of.

libheif says a picture's size after its crop (``clap``), and 32 kB can be a crop of 250 MP. So the sizes are taken from
everything that a decoder makes pixels for. Source: ISO/IEC 14496-12 §8.11 (items), ISO/IEC 23008-12 §6.5, §6.6 (sizes,
grids).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from growbin_jobs.adapters.pictures.formats import damaged, hevc, of_another_kind
from growbin_jobs.adapters.pictures.formats.items import Items, boxes, number
from growbin_jobs.errors import PictureRefused

#: Kinds of items that are put together in ways that no camera writes, or hold pixels as they are.
_REFUSED: Final = frozenset({b"iovl", b"unci", b"mski"})

#: Items that share their bytes are read for each of them, but not more than so many times the file.
_MAX_READ: Final = 4

Size = tuple[int, int]


def coded_size(data: bytes) -> Size:
    """Return width and height of the largest picture that decoding makes, thumbnails and cut off parts included.

    Raises:
      PictureRefused: The boxes are damaged, or of a kind that no camera writes.
    """
    file = _File(data, Items(data, *_meta(data)))
    found = [size for size in file.sizes() if min(size) > 0]
    if not found:
        raise damaged()
    return max(found, key=lambda size: size[0] * size[1])


def without_trailer(data: bytes) -> bytes:
    """Return a HEIC up to the end of its picture: behind it stand a film (motion photo) or what a maker adds.

    libheif refuses a picture for a film that it cannot read.

    Raises:
      PictureRefused: The boxes are damaged.
    """
    items, need = None, 0
    try:
        for name, begin, end in boxes(data, 0, len(data)):
            if name == b"meta" and items is None:
                items = Items(data, begin, end)
                need = items.end()
            if items is not None and end >= need:
                return data[:end]
    except PictureRefused:
        if items is None:
            raise
    return data


def _meta(data: bytes) -> tuple[int, int]:
    """Return where the box with the items is; a maker's trailer behind the boxes does not count."""
    found, last = [], 0
    try:
        for name, begin, last in boxes(data, 0, len(data)):
            if name == b"meta":
                found.append((begin, last))
    except PictureRefused:
        if data[last + 4 : last + 8] == b"meta":  # a decoder may take it for one
            raise
    if len(found) != 1:
        raise damaged()
    return found[0]


@dataclass(slots=True)
class _File:
    data: bytes
    items: Items
    read: int = field(default=0)

    def sizes(self) -> Iterator[Size]:
        """Yield all sizes: those declared for items, those of streams, those of grids."""
        records: dict[int, hevc.Configuration] = {}
        declared: dict[int, Size] = {}
        for index, (name, body) in enumerate(self.items.properties, 1):
            if name == b"ispe":
                declared[index] = number(body, 4, 4), number(body, 8, 4)
                yield declared[index]
            elif name == b"hvcC":
                records[index] = hevc.configuration(body)
                yield from records[index].sizes
        for item, kind in self.items.kinds.items():
            if kind in _REFUSED:
                raise of_another_kind("HEIC")
            if kind == b"hvc1":
                for index in self.items.properties_of.get(item, ()):
                    if index in records:
                        yield from hevc.sizes_of_still(self._content(item), records[index].length_size)
            elif kind == b"grid":
                yield self._grid(item, declared)

    def _grid(self, item: int, declared: dict[int, Size]) -> Size:
        """Return a grid's own size. Its tiles may not be many more pixels than it has: each is decoded."""
        body = self._content(item)
        wide = 4 if len(body) > 1 and body[1] & 1 else 2
        if len(body) < 4 + 2 * wide:
            raise damaged()
        size = number(body, 4, wide), number(body, 4 + wide, wide)
        tiles = self.items.made_of.get(item, [])
        if len(tiles) != (body[2] + 1) * (body[3] + 1):
            raise damaged()
        pixels = [self._pixels(tile, declared) for tile in tiles]
        if sum(pixels) > 2 * size[0] * size[1] + 3 * max(pixels):
            raise damaged()
        return size

    def _pixels(self, item: int, declared: dict[int, Size]) -> int:
        sizes = [declared[index] for index in self.items.properties_of.get(item, ()) if index in declared]
        if not sizes:
            raise damaged()
        return max(width * height for width, height in sizes)

    def _content(self, item: int) -> bytes:
        content = self.items.content(item)
        self.read += len(content)
        if self.read > _MAX_READ * len(self.data):
            raise damaged()
        return content
