"""The container of WebP: a RIFF file of chunks; the first one has the size."""

import io
from collections.abc import Iterator
from typing import Final

from PIL import Image
from PIL.WebPImagePlugin import WebPImageFile

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, Contents, count_part, damaged, upright

_HEADER: Final = 12
_VP8_START_CODE: Final = b"\x9d\x01\x2a"
_VP8L_SIGNATURE: Final = 0x2F


def matches(data: bytes) -> bool:
    """Return True where the bytes begin like a WebP."""
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def read(data: bytes) -> Contents:
    """Read the chunks of a WebP. An animated one counts as its first frame, which is what Pillow loads.

    Raises:
      PictureRefused: Damaged, or made of too many chunks.
    """
    size: tuple[int, int] | None = None
    blocks, profile = upright.Blocks(), None
    for name, begin, end in _chunks(data):
        size = size or _size(name, data[begin : begin + 10])
        if name == b"EXIF":
            blocks.add_exif(data[begin:end])
        elif name == b"XMP ":
            blocks.add_xmp(data[begin:end])
        elif name == b"ICCP" and end - begin <= MAX_PROFILE:
            profile = data[begin:end]
    if not size:
        raise damaged()
    return Contents("WebP", data, *size, _open, 1, blocks.orientation(), profile)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (name, begin, end) of each chunk's body."""
    stop = 8 + int.from_bytes(data[4:8], "little")
    if stop > len(data):
        raise damaged()
    position, parts = _HEADER, 0
    while position + 8 <= stop:
        parts = count_part(parts)
        begin, length = position + 8, int.from_bytes(data[position + 4 : position + 8], "little")
        if begin + length > stop:
            raise damaged()
        yield data[position : position + 4], begin, begin + length
        position = begin + length + length % 2


def _size(name: bytes, body: bytes) -> tuple[int, int]:
    """Return the size out of the first chunk.

    Source: RFC 9649 §2.7 (VP8X: the canvas), §3.4 (VP8L); RFC 6386 §9.1 (VP8).
    """
    if len(body) == 10 and name == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if len(body) == 10 and name == b"VP8 " and body[3:6] == _VP8_START_CODE:
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if len(body) >= 5 and name == b"VP8L" and body[0] == _VP8L_SIGNATURE:
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    raise damaged()


def _open(data: bytes) -> Image.Image:
    return WebPImageFile(io.BytesIO(data))
