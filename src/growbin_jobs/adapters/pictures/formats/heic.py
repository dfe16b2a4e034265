"""The container of HEIC, read by libheif where the extra ``growbin-jobs[heic]`` is installed."""

import io
from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any, Final

from PIL import Image

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, Contents, curves, damaged, deep, heif, primaries
from growbin_jobs.adapters.pictures.formats.light import Light
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
            profile, light = _meaning(image.info)
            opened = _open if light is None else partial(_open_deep, light=light)
            return Contents("HEIC", data, *image.size, opened, coded=coded, profile=profile)
    except (SyntaxError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise damaged() from error


def _meaning(info: Mapping[Any, Any]) -> tuple[bytes | None, Light | None]:
    """Return the colour profile, None where it is sRGB; for a picture of more bits, of which 8 are too few, its light.

    An ``nclx`` box counts where there is no profile (ISO/IEC 23008-12 §6.5.5).
    """
    profile = info.get("icc_profile") or None
    if profile and len(profile) > MAX_PROFILE:
        profile = None
    said = info.get("nclx_profile")
    numbers = None
    if not profile and isinstance(said, dict):
        numbers = primaries.of_numbers(int(said["color_primaries"]), int(said["transfer_characteristics"]))
    if info.get("bit_depth", 8) > _BITS:
        light = curves.light_of(profile) if profile else numbers and numbers.light()
        if light and light.is_steep():
            return None, light
    return profile or (numbers.profile() if numbers else None), None


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
