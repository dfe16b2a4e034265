"""Decodes a picture that is within the limits, and tells a damaged one from a node that is short of memory."""

from typing import Final

from PIL import Image

from growbin_jobs.adapters.pictures import colour
from growbin_jobs.adapters.pictures.formats import Contents, damaged
from growbin_jobs.adapters.pictures.memory import has_room

#: Bytes that a decoder takes for each pixel at most where it holds the whole picture, and what each takes besides
#: (docs/performance.md, "The dearest pictures").
_BYTES_A_PIXEL: Final = {"JPEG": 8, "PNG": 10, "WebP": 18, "HEIC": 24}
_LEAST_ROOM: Final = 48_000_000

_DECODER_SCALES: Final = (1, 2, 4, 8)


def decoded(contents: Contents, side: int, close_enough: float) -> Image.Image:
    """Return a picture, its pixels loaded, in a mode that shrinks well; a JPEG near ``side`` where that is cheap.

    Parameters:
      contents: What is known of the file, within the limits.
      side: Largest side that is wanted, in pixels.
      close_enough: Share of ``side`` from which on a smaller picture will do.

    Raises:
      PictureRefused: It is damaged.
      MemoryError: There is no memory for it.
    """
    try:
        image = _opened(contents)
        if contents.name == "JPEG":
            scale = _decoder_scale(max(image.size), side, close_enough)
            image.draft(None, (image.width // scale, image.height // scale))
        _load(image, contents)
        return colour.resizable(image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow raises whatever the bytes lead it to, and all calls above are on the bytes
        if not _has_room(contents):
            raise MemoryError from error
        raise damaged() from error


def _load(image: Image.Image, contents: Contents) -> None:
    image.load()
    if contents.ends_early(image):
        raise ValueError("it ends too early")


def _has_room(contents: Contents) -> bool:
    """Return whether there is memory for a picture: decoders call it damaged, too, where there is none."""
    width, height = contents.coded or (contents.width, contents.height)
    held = width * height * _BYTES_A_PIXEL[contents.name] if contents.buffered else 0
    return has_room(_LEAST_ROOM + held)


def _opened(contents: Contents) -> Image.Image:
    image = contents.open(contents.data)
    if image.size != (contents.width, contents.height):
        raise ValueError("Pillow reads another size than the one that was judged")
    return image


def _decoder_scale(long_side: int, side: int, close_enough: float) -> int:
    """Return the divisor for libjpeg: of the results that fit ``side`` the largest, if close enough, else one above."""
    larger = 1
    for scale in _DECODER_SCALES:
        result = -(-long_side // scale)
        if result <= side:
            return scale if result >= close_enough * side else larger
        larger = scale
    return larger
