"""Makes all sizes of a picture from one decode.

A phone's photo spends most of its time in two places: decoding pixels that are thrown away, and a large LANCZOS.
libjpeg can decode at 1/2, 1/4 or 1/8 of the size for a fraction of the price (it leaves out DCT coefficients), so
the decoder does the shrinking wherever that comes close to the wanted size, and everything else, turning upright
included, happens on the small picture. Figures: docs/performance.md.
"""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import BinaryIO, Final

from PIL import Image

from growbin_jobs.adapters.pictures import colour
from growbin_jobs.adapters.pictures.decoding import decoded
from growbin_jobs.adapters.pictures.formats import Contents
from growbin_jobs.adapters.pictures.guard import DEFAULT_LIMITS, STORED_LIMITS, Limits, inspect
from growbin_jobs.adapters.pictures.scaling import scaled
from growbin_jobs.errors import Transient

#: The decoder's picture is taken as it is from this share of the wanted side on (1,400 of 2,048 px): 12 MP give
#: 2,016 px and 24 MP 1,428 px in a quarter to a sixth of the time of an exact size.
CLOSE_ENOUGH: Final = 0.68

#: The same for what a model sees, whose patches are scarce, and for halving a picture instead of resizing it.
CLOSE_ENOUGH_TO_SEE: Final = 0.9

#: Pixels of the shorter side that a model is shown at least: some servers refuse less than 28 (Qwen-VL's patches).
LEAST_SEEN: Final = 32

#: EXIF orientation to what makes it upright (EXIF 2.32 §4.6.5.1.6); 1 needs nothing.
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class PreparedPicture:
    """What is stored of an upload: upright sRGB JPEGs without metadata.

    Attributes:
      original: The picture, called so after its key; not the uploaded bytes.
      thumbnail: The small one.
      for_model: What a vision model sees; the same bytes as ``original`` where that is small enough.
      width: Of ``original``, in pixels.
      height: Of ``original``, in pixels.
      source_format: What was uploaded: ``JPEG``, ``PNG``, ``WebP`` or ``HEIC``.
    """

    original: bytes
    thumbnail: bytes
    for_model: bytes
    width: int
    height: int
    source_format: str


def prepare(
    data: bytes,
    *,
    side: int = 2048,
    thumbnail_side: int = 300,
    model_side: int = 1024,
    quality: int = 85,
    limits: Limits = DEFAULT_LIMITS,
) -> PreparedPicture:
    """Make the stored picture, its thumbnail and what a vision model sees. The same bytes give the same result.

    Parameters:
      data: The uploaded file.
      side: Largest side of the picture in pixels. A photo may come out as small as two thirds of it
        (:data:`CLOSE_ENOUGH`); a picture that is smaller already keeps its size.
      thumbnail_side: Largest side of the thumbnail in pixels.
      model_side: Largest side of what the model sees in pixels; see :func:`shrink`.
      quality: JPEG quality, 1–95.
      limits: What is accepted.

    Raises:
      PictureRefused: The bytes are not a picture that is accepted.
      Transient: No memory right now.
    """
    with _memory_permitting():
        contents = inspect(data, limits)
        picture = _small(contents, side, CLOSE_ENOUGH)
        smaller = _shrunk(picture, model_side)
        seen = _visible(smaller, model_side)
        thumbnail = _thumbnail(smaller if max(smaller.size) >= 2 * thumbnail_side else picture, thumbnail_side)
        original = _encoded(picture, quality)
        for_model = original if seen is picture else _encoded(seen, quality)
        return PreparedPicture(original, _encoded(thumbnail, quality), for_model, *picture.size, contents.name)


def shrink(data: bytes, *, side: int = 1024, quality: int = 85, limits: Limits = STORED_LIMITS) -> bytes:
    """Make the JPEG that a vision model sees, from a stored picture, where :func:`prepare` has not made it.

    What :func:`prepare` has stored is never refused: its form was judged then. A very small or narrow one is enlarged,
    and where ``side`` leaves no room for that, put on white, until its shorter side has :data:`LEAST_SEEN` px.

    Models bill by patches of 32 px, so 1024 × 768 costs 768 tokens; the sides are not forced to multiples of 32,
    which would cost a second resize for at most one row of patches.

    Parameters:
      data: What :func:`prepare` made, or any picture that it takes.
      side: Largest side in pixels, at least :data:`LEAST_SEEN`; a photo may come out up to a tenth smaller
        (:data:`CLOSE_ENOUGH_TO_SEE`).
      quality: JPEG quality, 1–95.
      limits: What is accepted.

    Raises:
      PictureRefused: The bytes are no picture, or a damaged one.
      Transient: No memory right now.
    """
    with _memory_permitting():
        contents = inspect(data, limits)
        return _encoded(_visible(_small(contents, side, CLOSE_ENOUGH_TO_SEE), side), quality)


@contextmanager
def _memory_permitting() -> Iterator[None]:
    # Within the limits it is this node that is short of memory, not the picture that is wrong.
    try:
        yield
    except MemoryError as error:
        raise Transient("no memory for a picture right now") from error


def _small(contents: Contents, side: int, close_enough: float) -> Image.Image:
    """Decode, shrink to at most ``side``, then all that is cheap on a small picture: sRGB and upright."""
    image = _shrunk(decoded(contents, side, close_enough), side, (contents.width, contents.height))
    image = colour.to_srgb(image, contents.profile)
    turn = _UPRIGHT.get(contents.orientation)
    return image if turn is None else image.transpose(turn)


def _shrunk(image: Image.Image, side: int, shape: tuple[int, int] | None = None) -> Image.Image:
    """Return the picture at most ``side`` large; never enlarged, no side below one pixel.

    Averages of 2 × 2 pixels cost a twelfth of Pillow's LANCZOS, and half of one by SIMD.

    Parameters:
      shape: Size whose proportions it is to have, where the decoder has rounded the picture's own.
    """
    long = max(image.size)
    if long <= side:
        return image
    parts = -(-long // side)
    if not any(length % parts for length in image.size) and long // parts >= CLOSE_ENOUGH_TO_SEE * side:
        return image.reduce(parts)
    return scaled(image, _fitting(shape or image.size, side))


def _thumbnail(image: Image.Image, side: int) -> Image.Image:
    """Return the picture exactly ``side`` large, sharp, unless it is smaller already."""
    if max(image.size) <= side:
        return image
    return scaled(image, _fitting(image.size, side), sharp=True)


def _fitting(size: tuple[int, int], side: int) -> tuple[int, int]:
    width, height = (max(1, round(length * side / max(size))) for length in size)
    return width, height


def _visible(image: Image.Image, side: int) -> Image.Image:
    """Return the picture with a shorter side of at least :data:`LEAST_SEEN`, the longer one at most ``side``."""
    if min(image.size) >= LEAST_SEEN:
        return image
    factor = min(LEAST_SEEN / min(image.size), side / max(image.size))
    width, height = (max(1, round(length * factor)) for length in image.size)
    image = image.resize((width, height), Image.Resampling.BICUBIC)
    ground = Image.new("RGB", (max(width, LEAST_SEEN), max(height, LEAST_SEEN)), "white")
    ground.paste(image, ((ground.width - width) // 2, (ground.height - height) // 2))
    return ground


def _encoded(image: Image.Image, quality: int) -> bytes:
    """Return the picture as a baseline JPEG with nothing but the picture in it."""
    image.info.clear()  # Pillow would write a comment found there
    with _memory() as file:
        image.save(file, "JPEG", quality=quality)
        file.seek(0)
        return file.read()


def _memory() -> BinaryIO:
    """Return an empty file in memory; where there may be one, a descriptor: into it Pillow encodes without the GIL."""
    with suppress(AttributeError, OSError):  # another system, an old kernel, a sandbox that refuses it
        return open(os.memfd_create("growbin-picture"), "w+b", buffering=0)
    return io.BytesIO()
