"""Views of a photo to train on, so that the head learns the thing and not the way TrashNet photographs it."""

import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from growbin_jobs.ai.offline.network import INPUT_SIDE
from growbin_jobs.ai.offline.preprocessing import squeeze

COUNT = 12
#: The views, by their place, of pictures that only teach what is general: as it is, cut, from afar.
FEW = (0, 6, 8)


def views(image: Image.Image, name: str) -> Iterator[Image.Image]:
    """Yield 12 squares of one photo. The first is what the classifier sees; chance comes from the photo's name only."""
    chance = np.random.default_rng(zlib.crc32(name.encode()))
    yield squeeze(image)
    yield squeeze(ImageOps.mirror(image))
    for turn in (Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_180, Image.Transpose.ROTATE_270):
        yield squeeze(image.transpose(turn))
    for part in (0.9, 0.75, 0.6):
        yield squeeze(_cut(image, part, chance))
    yield _far(image, chance)
    for _ in range(2):
        yield _lit(squeeze(_cut(image, 0.85, chance)), chance)
    yield squeeze(image).resize((INPUT_SIDE // 3, INPUT_SIDE // 3)).resize((INPUT_SIDE, INPUT_SIDE))


def _cut(image: Image.Image, part: float, chance: np.random.Generator) -> Image.Image:
    """A part of the photo, near the middle, mirrored half of the time."""
    width, height = image.size
    wide, high = width * part, height * part
    left, top = chance.triangular(0, 0.5, 1, 2) * (width - wide, height - high)
    cut = image.crop((round(left), round(top), round(left + wide), round(top + high)))
    return ImageOps.mirror(cut) if chance.random() < 0.5 else cut


def _far(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The whole photo, unsqueezed and smaller, on a plain ground."""
    side = round(INPUT_SIDE * chance.uniform(0.7, 0.95))
    ground = tuple(int(value) for value in chance.integers(60, 230, 3))
    canvas = Image.new("RGB", (INPUT_SIDE, INPUT_SIDE), ground)
    small = ImageOps.contain(image, (side, side))
    canvas.paste(small, ((INPUT_SIDE - small.width) // 2, (INPUT_SIDE - small.height) // 2))
    return canvas


def _lit(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The photo in another light."""
    for enhance, spread in ((ImageEnhance.Brightness, 0.4), (ImageEnhance.Contrast, 0.3), (ImageEnhance.Color, 0.4)):
        image = enhance(image).enhance(chance.uniform(1 - spread, 1 + spread))
    tint = chance.uniform(0.85, 1.15, 3)
    return Image.fromarray(np.clip(np.asarray(image) * tint, 0, 255).astype(np.uint8))
