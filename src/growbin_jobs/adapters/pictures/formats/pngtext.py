"""Reads the EXIF blocks and XMP packets that programs put into the text chunks of a PNG.

XMP is standardised there (``iTXt`` with the keyword ``XML:com.adobe.xmp``, XMP part 3). EXIF was not before the
chunk ``eXIf``: ImageMagick and those who followed it write it as hexadecimal digits ("Raw profile type …").
"""

import binascii
import re
import zlib
from typing import Final

from growbin_jobs.adapters.pictures.formats.upright import Blocks

#: PNG 3rd ed. §11.3.3: text as it is, packed, and international (packed or not).
CHUNKS: Final = frozenset({b"tEXt", b"zTXt", b"iTXt"})

_XMP: Final = b"XML:com.adobe.xmp"
_RAW: Final = b"Raw profile type "
_RAW_KINDS: Final = frozenset({b"exif", b"app1", b"xmp"})
_XMP_IN_APP1: Final = b"http://ns.adobe.com/xap/1.0/\0"

#: Name, number of bytes, then the digits in rows.
_RAW_FORM: Final = re.compile(rb"\s*[A-Za-z0-9]{1,16}\s+\d{1,9}\s+")

#: Bytes that all texts of a file may unpack to, and how many of its texts are read; files have one or two.
_MAX_UNPACKED: Final = 2_000_000
_MAX_TEXTS: Final = 16


class Texts:
    """Collects the texts of a PNG that may say how it is turned. All others are neither unpacked nor kept."""

    def __init__(self) -> None:
        self._found: list[tuple[bytes, bytes]] = []
        self._left = _MAX_UNPACKED
        self._texts = 0

    def add(self, name: bytes, body: bytes) -> None:
        """Take a chunk of :data:`CHUNKS`."""
        keyword, _, rest = body.partition(b"\0")
        kind = b"xmp" if keyword == _XMP else keyword.removeprefix(_RAW).strip().lower()
        wanted = keyword == _XMP or (keyword.startswith(_RAW) and kind in _RAW_KINDS)
        if not wanted or self._texts >= _MAX_TEXTS:
            return
        self._texts += 1
        text = self._text(name, rest)
        self._found.append((kind, text if keyword == _XMP else _from_digits(text)))

    def hand_over(self, blocks: Blocks) -> None:
        """Give what was found to ``blocks``; call it last, since the chunk ``eXIf`` goes before texts."""
        for kind, content in self._found:
            if kind == b"xmp" or content.startswith(_XMP_IN_APP1):
                blocks.add_xmp(content.removeprefix(_XMP_IN_APP1))
            else:
                blocks.add_exif(content)

    def _text(self, name: bytes, rest: bytes) -> bytes:
        packed = name == b"zTXt"
        if name == b"iTXt":
            packed = rest[:1] == b"\1"
            _, _, rest = rest[2:].partition(b"\0")  # language
            _, _, rest = rest.partition(b"\0")  # translated keyword
        elif packed:
            rest = rest[1:]  # method of packing: there is one
        text = self._unpacked(rest) if packed else rest[: self._left]
        self._left -= len(text)
        return text

    def _unpacked(self, packed: bytes) -> bytes:
        if not self._left:
            return b""  # zlib takes 0 for "without a limit"
        try:
            return zlib.decompressobj().decompress(packed, self._left)
        except zlib.error:
            return b""


def _from_digits(text: bytes) -> bytes:
    """Return the bytes of a raw profile; nothing where it is none."""
    head = _RAW_FORM.match(text)
    if not head:
        return b""
    try:
        return binascii.unhexlify(b"".join(text[head.end() :].split()))
    except binascii.Error:
        return b""
