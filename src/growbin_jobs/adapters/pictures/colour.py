"""Converts the colours of a picture to sRGB, which every viewer and model expects."""

import io
from functools import lru_cache
from typing import Final

from PIL import Image, ImageChops, ImageCms

#: The offending shape of 16-bit grey: Pillow's own conversion to 8 bits clips instead of scaling.
_GREY_16 = ("I;16", "I;16B", "I;16L")

#: Colour spaces of profiles (ICC.1:2010 table 19) that we convert from, and the mode of the pixels that they describe.
_MODES: Final = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
#: Classes of profiles (ICC.1:2010 table 18) that say what a picture's numbers mean. The others join two devices.
_CLASSES: Final = frozenset({"scnr", "mntr", "prtr", "spac"})

#: Levels (of 255) by which a profile may differ from sRGB and still be taken for it. Converting 3 MP costs more than
#: all other work on a photo together, and most photos are sRGB.
_SAME: Final = 1
#: Levels of each channel that are tried to find that out: black, white, and the shadows, where curves differ most.
_TRIED: Final = (0, 5, 12, 24, 48, 80, 112, 144, 176, 208, 232, 255)

#: Transforms of profiles up to this size are kept: a camera's. The large ones of printing presses are rare.
_KEPT_PROFILE: Final = 8192


def resizable(image: Image.Image) -> Image.Image:
    """Return the loaded picture as L, LA, RGB, RGBA or CMYK, the modes that shrink well."""
    if image.mode in _GREY_16:
        image = image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        return image if image.mode in ("LA", "RGBA") else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture as sRGB without alpha, on white.

    Parameters:
      image: L, LA, RGB, RGBA or CMYK.
      profile: ICC profile that its numbers are meant in; one that does not fit or cannot be read is ignored. What it
        is called does not matter, only what it does: "DCI-P3 D65 Gamut with sRGB Transfer" is not sRGB.
    """
    alpha = image.getchannel("A") if image.mode in ("LA", "RGBA") else None
    if alpha:
        image = image.convert(image.mode[:-1])
    if profile:
        image = _converted(image, profile)
    image = image if image.mode == "RGB" else image.convert("RGB")
    if not alpha:
        return image
    ground = Image.new("RGB", image.size, "white")
    ground.paste(image, mask=alpha)
    return ground


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    found = _kept_transform(profile) if len(profile) <= _KEPT_PROFILE else _transform(profile)
    if not found:
        return image
    mode, transform = found
    if (image.mode, mode) == ("L", "RGB"):
        image = image.convert("RGB")  # grey may be described by a profile of colours
    if image.mode != mode:
        return image  # slightly off is better than no picture
    return ImageCms.applyTransform(image, transform) or image


def _transform(profile: bytes) -> tuple[str, ImageCms.ImageCmsTransform] | None:
    """Return how to get to sRGB and from which mode; None where that is not known, or changes nothing."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        mode = _MODES.get(source.profile.xcolor_space)
        if not mode or source.profile.device_class not in _CLASSES:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if mode == "RGB" and _changes_nothing(transform) else (mode, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None


_kept_transform = lru_cache(maxsize=16)(_transform)


def _changes_nothing(transform: ImageCms.ImageCmsTransform) -> bool:
    before = _tried_colours()
    after = ImageCms.applyTransform(before, transform)
    differences = ImageChops.difference(before, after or before).getextrema()
    return all(high <= _SAME for _, high in differences)  # type: ignore[misc]


@lru_cache(maxsize=1)
def _tried_colours() -> Image.Image:
    colours = bytes(level for red in _TRIED for green in _TRIED for blue in _TRIED for level in (red, green, blue))
    return Image.frombytes("RGB", (len(colours) // 3, 1), colours)
