"""The container of HEIC, read by libheif where the extra ``growbin-jobs[heic]`` is installed."""

import io
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from PIL import Image

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, Contents, damaged, deep, heif, primaries
from growbin_jobs.adapters.pictures.formats.light import Light
from growbin_jobs.adapters.pictures.formats.meaning import meaning
from growbin_jobs.errors import PictureRefused

#: Brands of HEVC stills (ISO/IEC 23008-12 B.4). AVIF shares the container but is not accepted.
_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})

#: Bits of a sample that Pillow reads.
_BITS: Final = 8


def matches(data: bytes) -> bool:
    """Return True where the file type box names a brand of HEVC pictures."""
    if data[4:8] != b"ftyp":
        return False
    box = data[8 : min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[at : at + 4] for at in (0, *range(8, len(box), 4))}
    return bool(brands & _BRANDS)


def read(data: bytes) -> Contents:
    """Read the size of a HEIC. libheif obeys ``irot`` and ``imir``, which alone turn a HEIC, so the orientation
    is always 1; EXIF there only repeats them.

    Raises:
      PictureRefused: The extra is not installed, or the file is damaged.
    """
    if not find_spec("pillow_heif"):
        raise PictureRefused("picture_needs_heic")
    data = heif.without_trailer(data)
    coded = heif.coded_size(data)  # before libheif reads anything
    try:
        with _open(data) as image:
            profile, light = meaning(_said(image.info), deep=image.info.get("bit_depth", 8) > _BITS)
            opened = _open if light is None else partial(_open_deep, light=light)
            return Contents("HEIC", data, *image.size, opened, coded=coded, profile=profile)
    except (SyntaxError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise damaged() from error


def _said(info: Mapping[Any, Any]) -> bytes | primaries.Numbers | None:
    """Return what a file says of its colours: ``nclx`` counts where there is no profile (ISO/IEC 23008-12 §6.5.5)."""
    profile = info.get("icc_profile")
    if profile and len(profile) <= MAX_PROFILE:
        return bytes(profile)
    numbers = info.get("nclx_profile")
    if not isinstance(numbers, dict):
        return None
    return primaries.of_numbers(int(numbers["color_primaries"]), int(numbers["transfer_characteristics"]))


def _open(data: bytes) -> Image.Image:
    from pillow_heif import HeifImageFile

    image: Image.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return image


def _open_deep(data: bytes, *, light: Light) -> Image.Image:
    """Open a picture of more than 8 bits that is converted to sRGB with all of them."""
    from pillow_heif import HeifFile

    image = HeifFile(io.BytesIO(data), convert_hdr_to_8bit=False)  # type: ignore[no-untyped-call]
    pixels, stride = memoryview(image.data), image.stride  # decoding comes first: it may change the size
    is_grey, mode = image.mode == "I;16", image.mode.removesuffix(";16")

    def planes(place: deep.Place) -> deep.Planes:
        _, first, width, last = place
        size, strip = (width, last - first), pixels[first * stride : last * stride]
        if is_grey:
            return deep.planes(Image.frombytes("I;16", size, strip, "raw", "I;16", stride))
        high, low = (Image.frombytes(mode, size, strip, "raw", f"{mode};16{order}", stride) for order in "LB")
        return high, low

    bits = int(image.info["bit_depth"])
    picture = Image.new("L" if is_grey else mode, image.size)
    deep.to_srgb(picture, planes, light, (1 << 16) - (1 << 16 - bits))
    return picture
