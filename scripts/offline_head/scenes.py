"""Rendered pictures of what must be called general and is not to be had as open photos: wood above all, and cloth.

Materials fill the picture, lie as boards on a ground, stand as crates, or lie in heaps. They are drawn with numpy and
Pillow in milliseconds; nothing is downloaded. A head that learnt from photos of paper alone takes wood for cardboard.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

#: Size of a scene in pixels: the shape of a photo, and enough for the views that are cut out of it.
SIZE: Final = (512, 384)
#: Of a material, before it is put somewhere.
_PATCH: Final = 256

Chance = np.random.Generator
Colour = npt.NDArray[np.float64]
Corners = list[tuple[float, float]]


def scene(number: int) -> Image.Image:
    """Return the scene of a number: always the same one."""
    chance = np.random.default_rng([2026, number])
    material = _MATERIALS[number % len(_MATERIALS)]
    layouts = _LAYOUTS if material in (_planks, _grain, _flakes) else _FLAT_LAYOUTS
    picture = layouts[number // len(_MATERIALS) % len(layouts)](chance, material)
    picture = picture.filter(ImageFilter.GaussianBlur(chance.uniform(0.0, 1.2)))
    light = _waves(chance, SIZE, 1.5) * chance.uniform(0.0, 0.25) + chance.uniform(0.75, 1.1)
    grain = chance.normal(0.0, chance.uniform(0.0, 6.0), (SIZE[1], SIZE[0], 1))
    return _picture(np.asarray(picture, dtype=np.float64) * light[..., None] + grain)


def _picture(values: npt.NDArray[np.float64]) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _waves(chance: Chance, size: tuple[int, int], cells: float, cells_down: float | None = None) -> Colour:
    """Smooth noise of about -1 to 1, with so many cells across and down."""
    wide, high = max(2, round(cells)), max(2, round(cells_down or cells))
    small = Image.fromarray(chance.uniform(-1, 1, (high + 1, wide + 1)).astype(np.float32))
    return np.asarray(small.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)


def _wood_colour(chance: Chance) -> Colour:
    light, red = chance.uniform(60, 225), chance.uniform(1.1, 1.5)
    grey = chance.uniform(0.0, 0.6) if chance.random() < 0.3 else 0.0
    brown = light * np.array([1.0, 1 / red, 1 / red**2.1])
    return brown * (1 - grey) + brown.mean() * grey


def _grain(chance: Chance) -> Image.Image:
    """One board: rings cut lengthwise, fibres, now and then a knot."""
    y, x = np.mgrid[0:_PATCH, 0:_PATCH] / _PATCH
    bend = _waves(chance, (_PATCH, _PATCH), 2, 4) * chance.uniform(0.02, 0.15)
    if chance.random() < 0.5:
        knot_x, knot_y, wide = *chance.uniform(0, 1, 2).tolist(), chance.uniform(0.02, 0.08)
        bend += 0.1 * np.exp(-(((x - knot_x) / 2) ** 2 + (y - knot_y) ** 2) / wide**2)
    rings = np.sin((y + bend) * 2 * np.pi * chance.uniform(6, 40))
    fibres = _waves(chance, (_PATCH, _PATCH), 6, 120)
    shade = 1 + rings * chance.uniform(0.02, 0.14) + fibres * chance.uniform(0.02, 0.12)
    return _picture(_wood_colour(chance) * shade[..., None])


def _planks(chance: Chance) -> Image.Image:
    """Boards side by side, each of its own shade, with dark joints."""
    canvas = Image.new("RGB", (_PATCH, _PATCH))
    edges = np.linspace(0, _PATCH, int(chance.integers(4, 12))).round().astype(int)
    base = _grain(chance)
    for top, bottom in pairwise(edges):
        shift = int(chance.integers(0, _PATCH // 2))
        board = base.crop((0, shift, _PATCH, shift + _PATCH // 3)).resize((_PATCH, bottom - top))
        canvas.paste(_lit(board, chance.uniform(0.8, 1.15)), (0, top))
        ImageDraw.Draw(canvas).line((0, top, _PATCH, top), (30, 24, 18), int(chance.integers(1, 5)))
    return canvas.rotate(int(chance.integers(0, 2)) * 90)


def _flakes(chance: Chance) -> Image.Image:
    """Chipboard, cork, fibreboard: pressed pieces, from coarse to hardly visible."""
    colour, size = _wood_colour(chance), chance.choice([1.0, 3.0, 9.0, 24.0])
    canvas = _picture(np.broadcast_to(colour, (_PATCH, _PATCH, 3)))
    draw = ImageDraw.Draw(canvas)
    for _ in range(round(min(4000, 60000 / size**1.5))):
        x, y, turn = chance.uniform(0, _PATCH), chance.uniform(0, _PATCH), chance.uniform(0, np.pi)
        long, short = size * chance.uniform(0.5, 1.5), size * chance.uniform(0.15, 0.5)
        tint = tuple(np.clip(colour * chance.uniform(0.75, 1.2), 0, 255).astype(int).tolist())
        draw.polygon(_oblong((x, y), long, short, turn), fill=tint)
    return canvas


def _cloth(chance: Chance) -> Image.Image:
    """Plain, striped, chequered or dotted cloth in folds."""
    y, x = np.mgrid[0:_PATCH, 0:_PATCH] / _PATCH
    count, kind = chance.integers(3, 30), chance.integers(0, 4)
    colours = chance.uniform(10, 245, (2, 3))
    across, down = np.sin(x * np.pi * count) > 0, np.sin(y * np.pi * count) > 0
    dots = (np.sin(x * np.pi * count) * np.sin(y * np.pi * count)) > 0.5
    mask = (np.zeros_like(across), across, across ^ down, dots)[kind]
    folds = _waves(chance, (_PATCH, _PATCH), chance.uniform(2, 8)) * chance.uniform(0.05, 0.35)
    weave = chance.normal(0, 0.05, (_PATCH, _PATCH))
    return _picture(np.where(mask[..., None], *colours) * (1 + folds + weave)[..., None])


def _oblong(middle: tuple[float, float], long: float, short: float, turn: float) -> Corners:
    along = np.array([np.cos(turn), np.sin(turn)]) * long / 2
    aside = np.array([-np.sin(turn), np.cos(turn)]) * short / 2
    return [tuple((np.array(middle) + a * along + b * aside).tolist()) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


def _place(canvas: Image.Image, patch: Image.Image, corners: Corners, light: float = 1.0) -> None:
    """Draw a material onto four corners (clockwise from its top left), as seen from an angle."""
    left, top = (int(min(values)) - 1 for values in zip(*corners, strict=True))
    right, bottom = (int(max(values)) + 2 for values in zip(*corners, strict=True))
    corners = [(x - left, y - top) for x, y in corners]
    rows, sides = [], []
    source = [(0, 0), (patch.width, 0), (patch.width, patch.height), (0, patch.height)]
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        sides += [u, v]
    coefficients = np.linalg.lstsq(np.array(rows), np.array(sides), rcond=None)[0].tolist()
    size = right - left, bottom - top
    seen = patch.transform(size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    canvas.paste(_lit(seen, light), (left, top), mask)


def _lit(image: Image.Image, light: float) -> Image.Image:
    return image.point(lambda value: value * light)


def _ground(chance: Chance) -> Image.Image:
    if chance.random() < 0.4:
        return Image.new("RGB", SIZE, "white")
    colour = np.full(3, chance.uniform(40, 235)) + chance.normal(0, 12, 3)
    return _picture(colour * (1 + _waves(chance, SIZE, 3) * chance.uniform(0.0, 0.2))[..., None])


def _filling(chance: Chance, material: Callable[[Chance], Image.Image]) -> Image.Image:
    """The material fills the picture, straight or askew."""
    canvas, (wide, high) = Image.new("RGB", SIZE), SIZE
    lean = chance.uniform(-120, 0, 8)
    upper = [(lean[0], lean[1]), (wide - lean[2], lean[3])]
    _place(canvas, material(chance), [*upper, (wide - lean[4], high - lean[5]), (lean[6], high - lean[7])])
    return canvas


def _board(chance: Chance, material: Callable[[Chance], Image.Image]) -> Image.Image:
    """One to three pieces on a ground, each with a shadow."""
    canvas = _ground(chance)
    for _ in range(int(chance.integers(1, 4))):
        middle = (chance.uniform(150, 360), chance.uniform(120, 260))
        corners = _oblong(middle, chance.uniform(180, 420), chance.uniform(60, 300), chance.uniform(0, np.pi))
        corners = [(x + chance.uniform(-30, 30), y * 0.8 + 40 + chance.uniform(-20, 20)) for x, y in corners]
        ImageDraw.Draw(canvas).polygon([(x + 8, y + 10) for x, y in corners], fill=(60, 55, 50))
        _place(canvas, material(chance), corners, chance.uniform(0.85, 1.1))
    return canvas


def _crate(chance: Chance, material: Callable[[Chance], Image.Image]) -> Image.Image:
    """A box: a front, a side and a top, each in its own light."""
    canvas, patch = _ground(chance), material(chance)
    left, top = chance.uniform(60, 160), chance.uniform(120, 180)
    wide, high = chance.uniform(120, 230), chance.uniform(90, 180)
    over, up = chance.uniform(40, 120), chance.uniform(30, 100)
    front = [(left, top), (left + wide, top), (left + wide, top + high), (left, top + high)]
    side = [front[1], (left + wide + over, top - up), (left + wide + over, top + high - up), front[2]]
    above = [(left + over, top - up), side[1], front[1], front[0]]
    for corners, light in ((front, 1.0), (side, 0.7), (above, 1.15)):
        _place(canvas, patch, corners, light)
        if chance.random() < 0.7:
            ImageDraw.Draw(canvas).polygon(corners, outline=(40, 30, 20), width=int(chance.integers(1, 5)))
    return canvas


def _heap(chance: Chance, material: Callable[[Chance], Image.Image]) -> Image.Image:
    """Many pieces, one upon another."""
    canvas, patches = _ground(chance), [material(chance) for _ in range(3)]
    long = chance.uniform(60, 260)
    for index in range(int(chance.integers(25, 90))):
        middle = (chance.normal(256, 130), chance.normal(220, 90))
        corners = _oblong(middle, long * chance.uniform(0.5, 1.2), chance.uniform(12, 50), chance.uniform(0, np.pi))
        ImageDraw.Draw(canvas).polygon([(x + 4, y + 5) for x, y in corners], fill=(35, 28, 22))
        _place(canvas, patches[index % 3], corners, chance.uniform(0.6, 1.15))
    return canvas


_MATERIALS: Final = (_planks, _grain, _flakes, _cloth)
_LAYOUTS: Final = (_filling, _board, _crate, _heap)
_FLAT_LAYOUTS: Final = (_filling, _board)
