"""The container of PNG: a signature and a list of chunks."""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from growbin_jobs.adapters.pictures.formats import (
    MAX_PROFILE,
    Contents,
    count_part,
    damaged,
    deeppng,
    pngtext,
    primaries,
    upright,
)
from growbin_jobs.adapters.pictures.formats.meaning import meaning

_START: Final = b"\x89PNG\r\n\x1a\n"

#: What makes the pixels. Without its animation chunks an animated PNG is its default picture.
_ESSENTIAL: Final = frozenset({b"PLTE", b"tRNS", b"IDAT", b"IEND"})
#: What says how its colours are meant. Behind the pixels it says nothing.
_COLOURS: Final = frozenset({b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"})


def matches(data: bytes) -> bool:
    """Return True where the bytes begin like a PNG."""
    return data.startswith(_START)


def read(data: bytes) -> Contents:
    """Read the chunks of a PNG to its end.

    Raises:
      PictureRefused: Damaged, or made of too many chunks.
    """
    view = memoryview(data)
    chunks = _chunks(data)
    name, begin, end = next(chunks)
    if name != b"IHDR" or end - begin != 25:
        raise damaged()
    width, height = struct.unpack_from(">LL", data, begin + 8)
    kept: list[bytes | memoryview] = [_START, view[begin:end]]
    blocks, texts, pixels = upright.Blocks(), pngtext.Texts(), False
    colours: dict[bytes, bytes] = {}
    for name, begin, end in chunks:
        body = view[begin + 8 : end - 4]
        pixels = pixels or name == b"IDAT"
        if name == b"IHDR":
            raise damaged()  # a second header would win over the size that is judged
        if name == b"tRNS" and data[24] == 16:
            kept.append(_in_8_bits(bytes(body)))
        elif name in _ESSENTIAL:
            kept.append(view[begin:end])
        elif name == b"eXIf":
            blocks.add_exif(bytes(body))
        elif name in pngtext.CHUNKS:
            texts.add(name, bytes(body))
        elif name in _COLOURS and not pixels and (said := _said(data[begin:end])) is not None:
            colours.setdefault(name, said)
    texts.hand_over(blocks)
    profile, light = meaning(_first(colours), deep=data[24] == 16)
    opened = _open if light is None else partial(deeppng.opened, light=light)
    return Contents("PNG", b"".join(kept), width, height, opened, 1, blocks.orientation(), profile)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, begin, end) of each chunk, ``IEND`` last; length, name and checksum are inside."""
    position, parts = len(_START), 0
    while True:
        parts = count_part(parts)
        begin, name = position, data[position + 4 : position + 8]
        position += 12 + int.from_bytes(data[begin : begin + 4], "big")
        if position > len(data) or len(name) < 4:
            raise damaged()
        yield name, begin, position
        if name == b"IEND":
            return


def _in_8_bits(body: bytes) -> bytes:
    """Return the chunk of a transparent colour of 16 bits for the 8 bits that Pillow makes of such a picture."""
    narrowed = b"tRNS" + bytes(0 if at % 2 == 0 else body[at - 1] for at in range(len(body)))
    return struct.pack(">L", len(body)) + narrowed + struct.pack(">L", zlib.crc32(narrowed))


def _said(chunk: bytes) -> bytes | None:
    """Return what a chunk of :data:`_COLOURS` says; None where it is damaged."""
    name, body = chunk[4:8], chunk[8:-4]
    if zlib.crc32(chunk[4:-4]) != int.from_bytes(chunk[-4:], "big"):
        return None
    if name == b"iCCP":
        return _unpacked(body)
    return body if len(body) == {b"cICP": 4, b"sRGB": 1, b"gAMA": 4, b"cHRM": 32}[name] else None


def _first(colours: dict[bytes, bytes]) -> bytes | primaries.Numbers | None:
    """Return what the first of the chunks that counts says (PNG 3rd ed. §4.3); None where that is sRGB."""
    if (code := colours.get(b"cICP")) and code[2:] == b"\0\1":  # RGB in its full range
        return primaries.of_numbers(code[0], code[1])
    if b"iCCP" in colours or b"sRGB" in colours:
        return colours.get(b"iCCP")
    gamma = int.from_bytes(colours[b"gAMA"], "big") if b"gAMA" in colours else None
    values = [number / 100_000 for number in struct.unpack(">8L", colours.get(b"cHRM", bytes(32)))]
    white, *points = zip(values[::2], values[1::2], strict=True)
    return primaries.of_png(gamma, (*points, white) if b"cHRM" in colours else None)  # type: ignore[arg-type]


def _unpacked(body: bytes) -> bytes | None:
    """Unpack a colour profile, never more than :data:`MAX_PROFILE` bytes of it (PNG 3rd ed. §11.3.2.3)."""
    _, _, packed = body.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(packed[1:], MAX_PROFILE + 1)
    except zlib.error:
        return None
    return profile if len(profile) <= MAX_PROFILE else None


def _open(data: bytes) -> Image.Image:
    return PngImageFile(io.BytesIO(data))
