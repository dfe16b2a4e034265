"""Turns a JPEG into the network's input."""

import io
import struct
from typing import Final

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from growbin_jobs.ai.offline.network import INPUT_SIDE, Array
from growbin_jobs.errors import PictureRefused

#: Far more than a model is ever sent (1024 px); a bound for whoever calls this with something else.
MAX_PIXELS: Final = 25_000_000

#: The shape of the photos that the head was trained on. Longer pictures are cut to it around their middle.
_LONGEST_SHAPE = 4 / 3


def pixels_of(picture: bytes) -> Array:
    """Return a JPEG as the network wants it.

    The whole picture is squeezed into a square: what people photograph is often not in the middle, and the head,
    which is trained on it, gains a little over ImageNet's usual centre crop (``docs/offline-classifier.md``).

    Parameters:
      picture: A JPEG.

    Returns:
      ``(224, 224, 3)``, RGB, about -1 to 1: ``(value - 127) / 128``, as EfficientNet-Lite was trained.

    Raises:
      PictureRefused: If it is no JPEG, is damaged, or is too large.
    """
    return normalise(squeeze(decode(picture)))


def decode(picture: bytes) -> Image.Image:
    """Return an upright RGB image, read at the smallest scale that still holds enough detail.

    Raises:
      PictureRefused: If it is no JPEG, is damaged, or is too large.
    """
    try:
        with Image.open(io.BytesIO(picture), formats=("JPEG",)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise PictureRefused(
                    "picture_too_many_pixels", width=width, height=height, limit_megapixels=MAX_PIXELS // 10**6
                )
            image.draft("RGB", (2 * INPUT_SIDE, 2 * INPUT_SIDE))
            return ImageOps.exif_transpose(image).convert("RGB")
    except UnidentifiedImageError:
        raise PictureRefused("picture_not_an_image") from None
    except (OSError, ValueError, SyntaxError, NotImplementedError, struct.error, Image.DecompressionBombError):
        # Pillow raises each of these for one damaged file or another, struct.error for a damaged EXIF block.
        raise PictureRefused("picture_truncated") from None


def squeeze(image: Image.Image) -> Image.Image:
    """Return the picture as a square of the network's size; none of its sides is squeezed by more than 4:3."""
    width, height = image.size
    wide, high = min(width, height * _LONGEST_SHAPE), min(height, width * _LONGEST_SHAPE)
    left, top = (width - wide) / 2, (height - high) / 2
    return image.resize((INPUT_SIDE, INPUT_SIDE), Image.Resampling.BICUBIC, box=(left, top, left + wide, top + high))


def normalise(image: Image.Image) -> Array:
    """Return the pixels as numbers of about -1 to 1."""
    pixels: Array = (np.asarray(image, dtype=np.float32) - 127.0) / 128.0
    return pixels
