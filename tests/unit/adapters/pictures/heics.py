"""Builds HEIC files box by box, honest and hostile ones. Tests load it through the fixture ``heics``."""

import io
import struct
from dataclasses import dataclass, field

from PIL import Image


def box(name: bytes, body: bytes) -> bytes:
    """One box."""
    return struct.pack(">L", 8 + len(body)) + name + body


def full(name: bytes, body: bytes, *, version: int = 0, flags: int = 0) -> bytes:
    """One box with a version and flags."""
    return box(name, struct.pack(">L", version << 24 | flags) + body)


def ispe(width: int, height: int) -> bytes:
    """The size of an item."""
    return full(b"ispe", struct.pack(">LL", width, height))


def clap(width: int, height: int) -> bytes:
    """A crop to so many pixels in the middle."""
    return box(b"clap", struct.pack(">8L", width, 1, height, 1, 0, 1, 0, 1))


def turn(quarters: int) -> bytes:
    """Turned to the left by quarters."""
    return box(b"irot", bytes((quarters,)))


def mirror(axis: int) -> bytes:
    """Mirrored: 0 top to bottom, 1 left to right."""
    return box(b"imir", bytes((axis,)))


@dataclass
class Item:
    """A picture of a file: its kind, properties, bytes, and what it is made of."""

    kind: bytes
    properties: list[bytes]
    content: bytes = b""
    tiles: list[int] = field(default_factory=list)
    alpha_of: int = 0


def built(*items: Item) -> bytes:
    """A HEIC of items, numbered from 1; the first is the picture."""
    properties = [each for item in items for each in item.properties]
    infos = [
        full(b"infe", struct.pack(">HH", number, 0) + item.kind + b"\0", version=2)
        for number, item in enumerate(items, 1)
    ]
    links, at = b"", 1
    for number, item in enumerate(items, 1):
        numbers = range(at, at + len(item.properties))
        links += struct.pack(">HB", number, len(numbers)) + bytes(0x80 | each for each in numbers)
        at += len(numbers)
    references = b"".join(
        box(b"dimg", struct.pack(f">HH{len(item.tiles)}H", number, len(item.tiles), *item.tiles))
        for number, item in enumerate(items, 1)
        if item.tiles
    ) + b"".join(
        box(b"auxl", struct.pack(">HHH", number, 1, item.alpha_of))
        for number, item in enumerate(items, 1)
        if item.alpha_of
    )
    ipco, ipma = box(b"ipco", b"".join(properties)), full(b"ipma", struct.pack(">L", len(items)) + links)

    def meta(base: int) -> bytes:
        places, offset = b"", base
        for number, item in enumerate(items, 1):
            places += struct.pack(">HHHLL", number, 0, 1, offset, len(item.content))
            offset += len(item.content)
        return full(
            b"meta",
            full(b"hdlr", struct.pack(">L4s", 0, b"pict") + bytes(13))
            + full(b"pitm", struct.pack(">H", 1))
            + full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)) + places)
            + full(b"iinf", struct.pack(">H", len(infos)) + b"".join(infos))
            + (full(b"iref", references) if references else b"")
            + box(b"iprp", ipco + ipma),
        )

    head = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    base = len(head) + len(meta(0)) + 8
    return head + meta(base) + box(b"mdat", b"".join(item.content for item in items))


def coded(picture: Image.Image, quality: int = 60) -> tuple[bytes, bytes]:
    """The ``hvcC`` box and the stream of a picture, as x265 makes them."""
    from pillow_heif import from_pillow

    buffer = io.BytesIO()
    from_pillow(picture).save(buffer, quality=quality)
    return _parts(buffer.getvalue())


def deep_with_alpha(side: int, times: int, *, curve: int = 13) -> bytes:
    """A grid of so many tiles each way, in 10 bits and full chroma, with a grid of alpha; ``curve`` is of H.273."""
    tiles = []
    for mode, channels in (("RGB;16", 3), ("L;16", 1)):
        from pillow_heif import from_bytes

        buffer = io.BytesIO()
        pixels = struct.pack("<H", 30_000) * (side * side * channels)
        from_bytes(mode, (side, side), pixels).save(buffer, quality=50, chroma=444)
        record, stream = _parts(buffer.getvalue())
        tiles.append(Item(b"hvc1", [record, ispe(side, side)], stream))
    whole = side * times
    body = struct.pack(">BBBBHH", 0, 0, times - 1, times - 1, whole, whole)
    kind = full(b"auxC", b"urn:mpeg:hevc:2015:auxid:1\0")
    colours = box(b"colr", b"nclx" + struct.pack(">HHHB", 9 if curve == 16 else 1, curve, 6, 0x80))
    picture = Item(b"grid", [ispe(whole, whole), colours], body, tiles=[2] * times**2)
    alpha = Item(b"grid", [ispe(whole, whole), kind], body, tiles=[4] * times**2, alpha_of=1)
    return built(picture, tiles[0], alpha, tiles[1])


def _parts(data: bytes) -> tuple[bytes, bytes]:
    at = data.index(b"hvcC") - 4
    length = int.from_bytes(data[at : at + 4], "big")
    return data[at : at + length], data[data.index(b"mdat") + 4 :]


def simple(picture: Image.Image, *properties: bytes, claimed: tuple[int, int] | None = None) -> bytes:
    """A HEIC of one picture with more properties; ``claimed`` is the size that it says."""
    record, stream = coded(picture)
    return built(Item(b"hvc1", [record, ispe(*(claimed or picture.size)), *properties], stream))


def grid(picture: Image.Image, rows: int, columns: int, size: tuple[int, int], *properties: bytes) -> bytes:
    """A HEIC that repeats a picture as tiles."""
    record, stream = coded(picture)
    body = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    return built(
        Item(b"grid", [ispe(*size), *properties], body, tiles=[2] * (rows * columns)),
        Item(b"hvc1", [record, ispe(*picture.size)], stream),
    )


def own_sps(size: tuple[int, int], hidden: tuple[int, int]) -> bytes:
    """A small HEIC in whose stream stands, before the picture, the parameter set of another size."""
    record, stream = coded(Image.new("RGB", size))
    other, _ = coded(Image.new("RGB", hidden))
    at = other.index(b"\x42\x01\x01")
    length = int.from_bytes(other[at - 2 : at], "big")
    unit = other[at : at + length]
    return built(Item(b"hvc1", [record, ispe(*size)], struct.pack(">L", len(unit)) + unit + stream))
