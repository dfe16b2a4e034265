"""From a rendering to the file a phone would have written: lens, sensor, JPEG, EXIF. Pillow and numpy only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

# How a picture that is stored on its side is turned back (EXIF 2.3, tag 0x0112).
UPRIGHT, ON_ITS_SIDE = 1, 6


def develop(rendering: Path, seed: int, vignette: float = 0.16, noise: float = 1.0) -> Image.Image:
    """Give a rendering what a phone's camera adds.

    Parameters:
        rendering: a PNG.
        seed: of the sensor's noise.
        vignette: light lost in the corners (0 to 1).
        noise: strength of the noise; 1 is a phone indoors by day.

    Returns:
        the picture, as it is to be seen.
    """
    with Image.open(rendering) as opened:
        picture = opened.convert("RGB")
    quiet = quieter(picture)
    lively = Image.blend(quiet, ImageOps.autocontrast(quiet, cutoff=(0.3, 0.4), preserve_tone=True), 0.6)
    pixels = np.asarray(ImageEnhance.Color(lively).enhance(1.12), float)
    high, wide, _ = pixels.shape
    y, x = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j]
    pixels = pixels * (1 - vignette * ((x * x + y * y) / 2) ** 1.4)[..., None]
    rng = np.random.default_rng(seed)
    grain = rng.normal(0, 1, (high, wide, 1)) * 1.2 + rng.normal(0, 1, (high, wide, 3)) * 0.6
    grain = (grain + np.roll(grain, 1, 0) + np.roll(grain, 1, 1)) / 2.2
    pixels += grain * noise * (1.25 - pixels.mean(axis=-1, keepdims=True) / 255)
    sharp = Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
    return sharp.filter(ImageFilter.UnsharpMask(radius=1.6, percent=45, threshold=2))


def quieter(picture: Image.Image) -> Image.Image:
    """Smooth the colour, and not the brightness, of the renderer's noise, as phones do."""
    light, blue, red = picture.convert("YCbCr").split()
    blue, red = (part.filter(ImageFilter.MedianFilter(5)).filter(ImageFilter.GaussianBlur(1.2)) for part in (blue, red))
    return Image.merge("YCbCr", (light, blue, red)).convert("RGB")


def store(picture: Image.Image, path: Path, orientation: int, gps: bool, quality: int = 88) -> None:
    """Write the JPEG with the EXIF block of an invented phone.

    Parameters:
        picture: upright.
        path: the file.
        orientation: 1, or 6 to store it turned as a phone held upright does.
        gps: whether to add a place: Seoul's city hall, where nobody took this picture.
        quality: of the JPEG.
    """
    stored = picture.transpose(Image.Transpose.ROTATE_90) if orientation == ON_ITS_SIDE else picture
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F], exif[0x0110] = "growbin", "rendered with Blender"
    exif[0x013B], exif[0x8298] = "growbin_jobs", "MIT License"
    exif[0x0132] = "2026:05:04 10:30:00"
    exif[0x8769] = {0x9003: "2026:05:04 10:30:00", 0xA405: 26}
    if gps:
        exif[0x8825] = _city_hall()
    stored.save(path, "JPEG", quality=quality, subsampling="4:2:0", optimize=True, exif=exif)


def _city_hall() -> dict[int, Any]:
    """Return the GPS block of 37.5663 N, 126.9779 E."""
    return {0: b"\x02\x03\x00\x00", 1: "N", 2: (37.0, 33.0, 58.7), 3: "E", 4: (126.0, 58.0, 40.4)}
