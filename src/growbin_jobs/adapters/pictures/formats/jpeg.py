"""The container of JPEG: a list of segments, then scans, between which more segments may stand."""

import io
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from growbin_jobs.adapters.pictures.formats import Contents, count_part, damaged, icc, of_another_kind, upright
from growbin_jobs.adapters.pictures.formats.scans import FRAMES, PROGRESSIVE, UNWRITTEN, Scans

_START: Final = b"\xff\xd8"

#: Next marker with a meaning of its own: no stuffed zero, no fill byte, no restart marker (ITU-T T.81 B.1.1).
_MARKER: Final = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")

_TEM, _SOI, _EOI, _SOS, _COM = 0x01, 0xD8, 0xD9, 0xDA, 0xFE
#: Stands for the end of a file whose picture has no end of its own.
_NO_END: Final = 0
_APP0, _APP1, _APP2, _APP14, _APP15 = 0xE0, 0xE1, 0xE2, 0xEE, 0xEF
#: Lossless, hierarchical and arithmetic coding, which no camera writes.
_OTHER_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})

#: Bits of a sample, and numbers of components, that Pillow decodes.
_BITS: Final = 8
_COMPONENTS: Final = frozenset({1, 3, 4})

_EXIF: Final = b"Exif\0"
_XMP: Final = b"http://ns.adobe.com/xap/1.0/\0"
_PROFILE: Final = b"ICC_PROFILE\0"

#: An end, and other bytes before it, restart markers among them: a decoder that still wants some takes them for pixels.
_END: Final = b"\xff\xd9"
_OTHER_END: Final = b"".join(bytes((0xFF, 0xD0 + n % 8)) + bytes(range(1, 250)) for n in range(16))[2:] + _END


def matches(data: bytes) -> bool:
    """Return True where the bytes begin like a JPEG."""
    return data.startswith(_START + b"\xff")


def read(data: bytes) -> Contents:
    """Read the segments of a JPEG to its end.

    Dropped are comments, application segments that say nothing about colour (EXIF, XMP, MPF …) and what follows the
    end of the picture: a second picture (MPO, gain map), a film (motion photo), an archive.

    Raises:
      PictureRefused: Damaged, of a kind that no camera writes, or made of too many segments.
    """
    view = memoryview(data)
    kept: list[bytes | memoryview] = [_START]
    size: tuple[int, int] | None = None
    blocks, profile = upright.Blocks(), icc.Parts()
    scans, first_scan, end = 0, 0, 0
    components, buffered, opened, coded = 0, False, _open_whole, Scans(data)
    for marker, begin, end in _segments(data):
        coded.add(marker, begin, end)
        body = data[begin + 4 : end]
        if marker == _SOS:
            first_scan = first_scan or begin
            scans += 1
            # libjpeg keeps all coefficients unless the one scan holds all components (its has_multiple_scans).
            buffered = buffered or scans > 1 or body[:1] != bytes((components,))
        elif marker == _NO_END:
            if buffered:
                raise damaged()  # a scan may be missing, and nothing would show it
            opened = _open_without_end
        elif scans:
            continue  # what stands between scans stays where it is
        elif marker in _OTHER_FRAMES:
            raise of_another_kind("JPEG")
        elif marker in FRAMES:
            if size or len(body) < 6:
                raise damaged()
            if body[0] != _BITS or body[5] not in _COMPONENTS:
                raise of_another_kind("JPEG")
            size = int.from_bytes(body[3:5], "big"), int.from_bytes(body[1:3], "big")
            components, buffered = body[5], marker == PROGRESSIVE
            kept.append(view[begin:end])
        elif marker == _APP1 and body.startswith(_EXIF):
            blocks.add_exif(body)
        elif marker == _APP1 and body.startswith(_XMP):
            blocks.add_xmp(body[len(_XMP) :])
        elif marker == _APP2 and body.startswith(_PROFILE):
            profile.add(body[len(_PROFILE) :])
        elif _is_essential(marker, body):
            kept.append(view[begin:end])
    if not size or not scans:
        raise damaged()
    kept.append(view[first_scan:end])  # the last end is the end of the image
    whole = b"".join(kept)
    head = len(whole) - end  # of a place in the file, without what was dropped

    def lack() -> bool:
        return coded.lack(None if buffered else lambda place: _lacks_pixels(whole[: place + head]))

    return Contents(
        "JPEG",
        whole,
        *size,
        partial(opened, lack=lack),
        scans=scans,
        orientation=blocks.orientation(),
        profile=profile.joined(),
        buffered=buffered,
        ends_early=lambda image: opened is _open_whole and _ends_early(image, whole),
    )


def _is_essential(marker: int, body: bytes) -> bool:
    """Return True for tables, and for the two application segments by which a decoder knows the colour space."""
    if marker == _APP0:
        return body.startswith(b"JFIF\0")
    if marker == _APP14:
        return body.startswith(b"Adobe")
    return not (_APP0 <= marker <= _APP15 or marker == _COM)


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (marker, begin, end) of each segment as libjpeg meets them, the end of image last.

    Where that is missing behind the pixels (some makers write none, or a trailer over it), :data:`_NO_END` is last.
    """
    position, parts, pixels = len(_START), 0, False
    while found := _MARKER.search(data, position):
        parts = count_part(parts)
        begin, marker = found.start(), data[found.start() + 1]
        if marker == _EOI:
            yield marker, begin, begin + 2
            return
        if marker == _TEM:
            position = begin + 2
            continue
        position = begin + 2 + int.from_bytes(data[begin + 2 : begin + 4], "big")
        if marker < 0xC0 or marker == _SOI or not begin + 4 <= position <= len(data):
            end = begin
            break
        pixels = pixels or marker == _SOS
        yield marker, begin, position
    else:
        end = len(data)
    if not pixels:
        raise damaged()
    yield _NO_END, end, end


def _open_whole(data: bytes, *, lack: Callable[[], bool]) -> Image.Image:
    """Open a picture of whose scans nothing is missing."""
    if lack():
        raise ValueError("something is missing in its scans")
    return _open(data)


def _open_without_end(data: bytes, *, lack: Callable[[], bool]) -> Image.Image:
    """Open a picture that has no end, if all its pixels are there."""
    data = data.rstrip(b"\0") if data.endswith(UNWRITTEN) else data
    if _lacks_pixels(data):
        raise ValueError("it ends too early")
    return _open_whole(data.rstrip(b"\xff") + _END, lack=lack)


def _open(data: bytes) -> Image.Image:
    image = JpegImageFile(io.BytesIO(data))
    # One call of the decoder for the whole file instead of one for each 64 KB: fewer fights for the GIL.
    image.decodermaxblock = len(data)
    return image


def _ends_early(image: Image.Image, data: bytes) -> bool:
    """Return whether a picture ends before its last pixel, though its file has an end: that is for libjpeg a warning.

    What is missing is the grey of the middle then, so only a picture that ends in this grey is looked at twice.
    """
    last = image.getpixel((image.width - 1, image.height - 1))
    values = last if isinstance(last, tuple) else (last or 0,)
    return all(127 <= value <= 128 for value in values) and _lacks_pixels(data.removesuffix(_END))


def _lacks_pixels(data: bytes) -> bool:
    """Return whether what stands behind the last scan changes the picture: where that is whole, it changes nothing.

    Parameters:
      data: Without its end.
    """
    data = data.rstrip(b"\xff")
    return _smallest(data + _END) != _smallest(data + _OTHER_END)


def _smallest(data: bytes) -> bytes:
    image = _open(data)
    image.draft(None, (1, 1))
    image.load()
    return image.tobytes()
