"""Decides from the structure of a file, before anything is decoded, whether a picture is accepted.

A few kilobytes can ask for gigabytes: 6 KB of WebP for 2.5 GB, a JPEG of 2,000 scans for 16 s. So the size and the
number of scans are known and limited first. The kind of a file is what its content says, never its name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from growbin_jobs.adapters.pictures.formats import Contents, heic, jpeg, of_another_kind, png, unread, webp
from growbin_jobs.errors import PictureRefused

_FORMATS: Final[tuple[tuple[Callable[[bytes], bool], Callable[[bytes], Contents]], ...]] = (
    (jpeg.matches, jpeg.read),
    (png.matches, png.read),
    (webp.matches, webp.read),
    (heic.matches, heic.read),
)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one picture may ask for.

    Attributes:
      max_bytes: Size of the file.
      max_pixels: Pixels of a JPEG in one scan; it is decoded at a fraction of its size, row by row.
      max_pixels_lossless: Pixels of everything else (PNG, WebP, HEIC, progressive JPEG); all of it is held in memory,
        4 to 16 bytes a pixel.
      max_scans: Scans of a JPEG; each one is a pass over the whole picture. Usual progressive ones have 10.
      min_side: Pixels of the shorter side.
      max_aspect: Longer side divided by the shorter one; phone panoramas reach 8.
    """

    max_bytes: int = 25_000_000
    max_pixels: int = 100_000_000
    max_pixels_lossless: int = 36_000_000
    max_scans: int = 20
    min_side: int = 16
    max_aspect: int = 20


DEFAULT_LIMITS: Final = Limits()

#: What stage 2 asks of a picture that stage 1 has stored: nothing of its form, which was judged when it was uploaded. A
#: second opinion would refuse 3000×150, which is stored as 2048×102 and so a little longer than 20:1. Only memory is
#: bounded, above what :data:`MAX_STORED_SIDE` allows, whatever the settings were when it was stored.
STORED_LIMITS: Final = Limits(max_bytes=150_000_000, min_side=1, max_aspect=1_000_000)

#: Largest side that may be stored, in pixels: its square stays below ``max_pixels`` of :data:`STORED_LIMITS`.
MAX_STORED_SIDE: Final = 8192


def inspect(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Contents:
    """Find out what the bytes are, and whether they may be decoded.

    Raises:
      PictureRefused: With the reason.
    """
    if not data:
        raise PictureRefused("picture_truncated")
    if len(data) > limits.max_bytes:
        raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(limits.max_bytes / 1e6, 1))
    for matches, read in _FORMATS:
        if matches(data):
            contents = read(data)
            _check(contents, limits)
            return contents
    if name := unread.format_of(data):
        raise of_another_kind(name)
    raise PictureRefused("picture_not_an_image")


def _check(contents: Contents, limits: Limits) -> None:
    size = {"width": contents.width, "height": contents.height}
    short, long = sorted(size.values())
    max_pixels = limits.max_pixels_lossless if contents.buffered else limits.max_pixels
    coded_width, coded_height = contents.coded or (0, 0)
    if short < limits.min_side:
        raise PictureRefused("picture_too_small", **size, limit=limits.min_side)
    if coded_width * coded_height > max_pixels:  # a crop hides what must be decoded
        raise PictureRefused(
            "picture_too_many_pixels",
            width=coded_width,
            height=coded_height,
            limit_megapixels=round(max_pixels / 1e6, 1),
        )
    if short * long > max_pixels:
        raise PictureRefused("picture_too_many_pixels", **size, limit_megapixels=round(max_pixels / 1e6, 1))
    if long > limits.max_aspect * short:
        raise PictureRefused("picture_too_narrow", **size)
    if contents.scans > limits.max_scans:
        raise PictureRefused("picture_too_many_scans", count=contents.scans, limit=limits.max_scans)
