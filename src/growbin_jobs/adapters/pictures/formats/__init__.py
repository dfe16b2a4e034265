"""Parsers for the containers of the accepted formats; they decode no pixel.

Each module has ``matches(data)`` and ``read(data)``. A container is walked for three reasons: to know the true size
before memory is spent on it, to take the two pieces of metadata that change how a picture looks (orientation and
colour profile), and to keep all other metadata away from Pillow, whose readers of EXIF, MPF and text chunks cost a
crafted file little and us much: EXIF in a million small segments takes it minutes, one EXIF directory with bad
offsets writes thousands of warnings.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from PIL import Image

from growbin_jobs.errors import PictureRefused

#: Most segments or chunks of one file. A 25 MB PNG in the usual pieces of 8 KB has 3,000.
MAX_PARTS: Final = 20_000

#: Largest colour profile that is honoured, in bytes. A camera's profile (three primaries, one curve) has 500–3,200, one
#: of a printing press holds tables: 0.5–2.7 MB.
MAX_PROFILE: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Contents:
    """What a container says about its picture.

    Attributes:
      name: ``JPEG``, ``PNG``, ``WebP`` or ``HEIC``.
      data: The bytes to decode, without metadata where the format lets us drop it.
      width: In pixels, as stored (before orientation).
      height: In pixels.
      open: Makes a Pillow image of ``data``; pixels are decoded when it is loaded, or already where it is converted to
        sRGB, too, since it has more bits than Pillow's modes (``profile`` is then None).
      scans: Passes over the picture; 1 for everything but progressive JPEG.
      orientation: EXIF orientation, 1–8; 1 is upright.
      coded: Width and height that the decoder makes before it crops; None: ``width`` and ``height``.
      buffered: Whether the decoder must hold the whole picture at its full size, however small the result.
      ends_early: Tells of the loaded image whether pixels are missing that its decoder has made up.
      profile: ICC colour profile; None where there is none worth honouring.
    """

    name: str
    data: bytes
    width: int
    height: int
    open: Callable[[bytes], Image.Image]
    scans: int = 1
    orientation: int = 1
    profile: bytes | None = None
    coded: tuple[int, int] | None = None
    buffered: bool = True
    ends_early: Callable[[Image.Image], bool] = lambda _: False


def damaged() -> PictureRefused:
    """Return the refusal of a file that does not follow its own format or ends too early."""
    return PictureRefused("picture_truncated")


def of_another_kind(name: str) -> PictureRefused:
    """Return the refusal of a file that may be whole, but is of a format, or coded in a way, that we do not read.

    Parameters:
      name: What the file is, such as ``JPEG`` or ``AVIF``.
    """
    return PictureRefused("picture_of_another_kind", format=name)


def count_part(parts: int) -> int:
    """Return ``parts + 1``, the segments or chunks read so far; refuse a file that is made of too many."""
    if parts >= MAX_PARTS:
        raise PictureRefused("picture_too_many_parts", limit=MAX_PARTS)
    return parts + 1
