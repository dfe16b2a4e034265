"""The container of PNG: a signature and a list of chunks."""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, Contents, count_part, damaged, pngtext, upright

_START: Final = b"\x89PNG\r\n\x1a\n"

#: What makes the pixels. Without its animation chunks an animated PNG is its default picture.
_ESSENTIAL: Final = frozenset({b"PLTE", b"tRNS", b"IDAT", b"IEND"})


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
    blocks, texts, profile = upright.Blocks(), pngtext.Texts(), None
    for name, begin, end in chunks:
        body = view[begin + 8 : end - 4]
        if name == b"IHDR":
            raise damaged()  # a second header would win over the size that is judged
        if name in _ESSENTIAL:
            kept.append(view[begin:end])
        elif name == b"eXIf":
            blocks.add_exif(bytes(body))
        elif name in pngtext.CHUNKS:
            texts.add(name, bytes(body))
        elif name == b"iCCP":
            profile = profile or _profile(bytes(body))
    texts.hand_over(blocks)
    return Contents("PNG", b"".join(kept), width, height, _open, 1, blocks.orientation(), profile)


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


def _profile(body: bytes) -> bytes | None:
    """Unpack a colour profile, never more than :data:`MAX_PROFILE` bytes of it (PNG 3rd ed. §11.3.2.3)."""
    _, _, packed = body.partition(b"\0")
    try:
        profile = zlib.decompressobj().decompress(packed[1:], MAX_PROFILE + 1)
    except zlib.error:
        return None
    return profile if len(profile) <= MAX_PROFILE else None


def _open(data: bytes) -> Image.Image:
    return PngImageFile(io.BytesIO(data))
