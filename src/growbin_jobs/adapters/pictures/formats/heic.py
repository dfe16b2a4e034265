"""The container of HEIC, read by libheif where the extra ``growbin-jobs[heic]`` is installed."""

import io
from importlib.util import find_spec
from typing import Final

from PIL import Image

from growbin_jobs.adapters.pictures.formats import MAX_PROFILE, Contents, damaged, heif, primaries
from growbin_jobs.errors import PictureRefused

#: Brands of HEVC stills (ISO/IEC 23008-12 B.4). AVIF shares the container but is not accepted.
_BRANDS: Final = frozenset({b"heic", b"heix", b"heim", b"heis"})


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
            profile = image.info.get("icc_profile") or _of_numbers(image.info.get("nclx_profile")) or b""
            return Contents(
                "HEIC",
                data,
                *image.size,
                _open,
                coded=coded,
                profile=profile if 0 < len(profile) <= MAX_PROFILE else None,
            )
    except (SyntaxError, OSError, ValueError, RuntimeError, EOFError) as error:
        raise damaged() from error


def _of_numbers(said: object) -> bytes | None:
    """Return the profile of an ``nclx`` box, which counts where there is no other (ISO/IEC 23008-12 §6.5.5)."""
    if not isinstance(said, dict):
        return None
    return primaries.of_numbers(int(said["color_primaries"]), int(said["transfer_characteristics"]))


def _open(data: bytes) -> Image.Image:
    from pillow_heif import HeifImageFile

    image: Image.Image = HeifImageFile(io.BytesIO(data))  # type: ignore[no-untyped-call]
    return image
