"""Photos as phones make them: 12, 16 and 24 MP, 4:2:0, quality 92, turned by EXIF."""

import io
import random
from pathlib import Path

from PIL import Image, ImageFilter, ImageOps

REAL = Path(__file__).resolve().parents[3] / "shared" / "photos" / "phone" / "tidy_pbo0.jpg"
SIZES = {"12 MP": (4032, 3024), "16 MP": (5312, 2988), "24 MP": (5712, 4284)}


def make() -> dict[str, bytes]:
    """Return a JPEG for each size, from a real photo where there is one, else from noise with a photo's sharpness."""
    photo = source()
    turned = Image.Exif()
    turned[0x0112] = 6
    photos = {}
    for name, size in SIZES.items():
        buffer = io.BytesIO()
        fitted = ImageOps.fit(photo, size, Image.Resampling.LANCZOS)
        fitted.save(buffer, "JPEG", quality=92, subsampling="4:2:0", exif=turned)
        photos[name] = buffer.getvalue()
    return photos


def source() -> Image.Image:
    """Return a real photo where there is one, else noise with a photo's sharpness."""
    return _real() if REAL.is_file() else _synthetic()


def _real() -> Image.Image:
    with Image.open(REAL) as image:
        return image.convert("RGB")  # lies on its side, as the sensor sees it


def _synthetic() -> Image.Image:
    chance = random.Random(12)  # noqa: S311 - a picture, not a secret
    layers = []
    for _ in "RGB":
        coarse = Image.frombytes("L", (64, 48), chance.randbytes(64 * 48)).resize(
            (4032, 3024), Image.Resampling.BICUBIC
        )
        fine = Image.frombytes("L", (4032, 3024), chance.randbytes(4032 * 3024)).filter(ImageFilter.GaussianBlur(1))
        layers.append(Image.blend(coarse, fine, 0.6))
    return Image.merge("RGB", layers)
