"""Converts the colours of a picture to sRGB, which every viewer and model expects."""

import io

from PIL import Image, ImageCms

#: The offending shape of 16-bit grey: Pillow's own conversion to 8 bits clips instead of scaling.
_GREY_16 = ("I;16", "I;16B", "I;16L")


def resizable(image: Image.Image) -> Image.Image:
    """Return the loaded picture as L, RGB, RGBA or CMYK, the modes that shrink well."""
    if image.mode in _GREY_16:
        image = image.point(lambda value: value / 256).convert("L")
    if image.has_transparency_data:
        return image if image.mode == "RGBA" else image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Return the picture as sRGB without alpha, on white.

    Parameters:
      image: L, RGB, RGBA or CMYK.
      profile: ICC profile that its numbers are meant in; one that does not fit or cannot be read is ignored.
    """
    if image.mode == "RGBA":
        ground = Image.new("RGB", image.size, "white")
        ground.paste(image, mask=image.getchannel("A"))
        image = ground
    if image.mode == "RGB" and profile:
        _convert(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _convert(image: Image.Image, profile: bytes) -> None:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), "RGB", "RGB")
        ImageCms.applyTransform(image, transform, inPlace=True)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return  # the colours stay as they are: slightly off is better than no picture
