"""Photos of a size, each of them another one, so that nobody answers from a cache."""

import io
import random
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.phone_photos import source

#: Megapixels to sides as phones make them.
SIDES = {2: (1632, 1224), 12: (4032, 3024), 16: (5312, 2988), 24: (5712, 4284)}


def make(megapixels: int, count: int, folder: Path) -> list[Path]:
    """Write photos, 4:2:0, quality 92, turned by EXIF; a patch of random colours makes each its own."""
    turned = Image.Exif()
    turned[0x0112] = 6
    whole = ImageOps.fit(source(), SIDES[megapixels], Image.Resampling.LANCZOS)
    chance = random.Random(megapixels)  # noqa: S311 - a picture, not a secret
    side = whole.height // 4
    made = []
    for number in range(count):
        patch = Image.frombytes("RGB", (4, 4), chance.randbytes(48)).resize((side, side), Image.Resampling.NEAREST)
        whole.paste(patch, (side, side))
        path = folder / f"{megapixels}-{number}.jpg"
        buffer = io.BytesIO()
        whole.save(buffer, "JPEG", quality=92, subsampling="4:2:0", exif=turned)
        path.write_bytes(buffer.getvalue())
        made.append(path)
    return made
