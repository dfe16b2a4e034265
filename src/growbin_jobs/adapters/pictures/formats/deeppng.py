"""Opens a PNG of 16 bits that is converted to sRGB with all of them. Pillow has a mode for such greys only."""

import io
import struct
import zlib
from typing import Final

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from growbin_jobs.adapters.pictures.formats import deep
from growbin_jobs.adapters.pictures.formats.light import Light

#: Kinds of colours (PNG 3rd ed. §11.2.1): of 16 bits, and of the 8 that an image with alpha of as many bytes has.
_GREY_ALPHA, _RGB_ALPHA = 4, 6
_TOP: Final = 65_535


def opened(data: bytes, *, light: Light) -> Image.Image:
    """Return a PNG of 16 bits in sRGB, its pixels loaded, as L, LA, RGB or RGBA.

    Parameters:
      data: What :func:`growbin_jobs.adapters.pictures.formats.png.read` keeps of the file.
      light: What its numbers mean.
    """
    high, low = _of_grey_alpha(data) if data[25] == _GREY_ALPHA else _of_others(data)
    is_keyed = "transparency" in high.info  # one colour, which the conversion would change
    alpha = high.convert("RGBA").getchannel("A") if is_keyed else None
    deep.to_srgb(high, lambda place: (high.crop(place), low.crop(place)), light, _TOP)
    high.info.clear()
    if alpha:
        high.putalpha(alpha)
    return high


def _of_others(data: bytes) -> tuple[Image.Image, Image.Image]:
    image = PngImageFile(io.BytesIO(data))
    if image.mode == "I;16":
        high, low = deep.planes(image)
        high.info.update(image.info)
        return high, low
    other = PngImageFile(io.BytesIO(data))
    # The same bytes in the other order are numbers whose high byte is the low one.
    other.tile = [tile._replace(args=f"{image.mode};16L") for tile in other.tile]
    image.load()
    other.load()
    return image, other


def _of_grey_alpha(data: bytes) -> tuple[Image.Image, Image.Image]:
    """Read grey and alpha of 16 bits as the four bands of 8 bits that have the same bytes."""
    header = data[12:24] + bytes((8, _RGB_ALPHA)) + data[26:29]
    image = PngImageFile(io.BytesIO(data[:12] + header + struct.pack(">L", zlib.crc32(header)) + data[33:]))
    high, low, alpha = (image.getchannel(band) for band in range(3))
    del image  # four bytes a pixel, before as many are taken for two bands
    return Image.merge("LA", (high, alpha)), low
