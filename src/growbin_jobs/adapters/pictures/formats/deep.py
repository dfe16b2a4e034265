"""Converts pictures of 16 bits to sRGB with all of their bits, for which Pillow and its LittleCMS have no mode.

Such a picture comes in strips of two pictures of 8 bits each: the high bytes and the low ones. Where 8 bits would do,
nothing comes here: this costs 0.1 s for each megapixel.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

from PIL import Image, ImageMath

from growbin_jobs.adapters.pictures.formats.light import Light, srgb_of
from growbin_jobs.adapters.pictures.formats.matrices import Matrix

#: Left, top, right and bottom.
Place = tuple[int, int, int, int]
Planes = tuple[Image.Image, Image.Image]

_TOP: Final = 65_535

#: Pixels that are converted at a time: what is made of them meanwhile takes some 70 bytes for each.
_STRIP: Final = 500_000

#: Bands of light, and whether one of alpha follows.
_BANDS: Final = {"L": (1, False), "LA": (1, True), "RGB": (3, False), "RGBA": (3, True)}


def to_srgb(picture: Image.Image, planes: Callable[[Place], Planes], light: Light, top: int) -> None:
    """Write a picture into another one, in sRGB.

    Parameters:
      picture: L, LA, RGB or RGBA.
      planes: Returns the high and the low bytes of a place, in the same mode, copied; of alpha the low ones may be left
        out.
      light: What its numbers mean.
      top: The number that is white.
    """
    (width, height), (bands, has_alpha) = picture.size, _BANDS[picture.mode]
    tables, matrix = _light_of_numbers(light.decode, top), light.to_srgb() if bands == 3 else None
    rows = max(1, _STRIP // width)
    for first in range(0, height, rows):
        place = (0, first, width, min(first + rows, height))
        high, low = (plane.split() for plane in planes(place))
        made = _converted(high[:bands], low[:bands], tables, matrix)
        picture.paste(Image.merge(picture.mode, [*made, *(high[bands:] if has_alpha else ())]), place)


def planes(numbers: Image.Image) -> Planes:
    """Return the high and the low bytes of greys of 16 bits."""
    wide = numbers.convert("I")
    high, low = _bytes_of(range(_TOP + 1))
    return wide.point(high, "L"), wide.point(low, "L")


def _converted(
    high: Sequence[Image.Image], low: Sequence[Image.Image], tables: tuple[list[int], list[int]], matrix: Matrix | None
) -> Sequence[Image.Image]:
    numbers = _joined(_stacked(high), _stacked(low))
    of_light = [numbers.point(table, "L") for table in tables]
    lights = _joined(*of_light)
    if matrix is not None:
        bands = [_joined(*pair) for pair in zip(*(_parted(each, 3) for each in of_light), strict=True)]
        lights = _stacked([_mixed(row, bands) for row in matrix])
    return _parted(lights.point(_levels_of_light(), "L"), len(high))


def _stacked(bands: Sequence[Image.Image]) -> Image.Image:
    """Return bands below each other: looking up a table costs more for each picture than for many of its pixels."""
    width, height = bands[0].size
    stack = Image.new(bands[0].mode, (width, height * len(bands)))
    for at, band in enumerate(bands):
        stack.paste(band, (0, at * height))
    return stack


def _parted(stack: Image.Image, count: int) -> list[Image.Image]:
    width, height = stack.width, stack.height // count
    return [stack.crop((0, at * height, width, (at + 1) * height)) for at in range(count)]


def _joined(high: Image.Image, low: Image.Image) -> Image.Image:
    return Image.frombytes("I", high.size, Image.merge("LA", (high, low)).tobytes(), "raw", "I;16B")


def _mixed(shares: Sequence[float], lights: Sequence[Image.Image]) -> Image.Image:
    """Return the sum of some lights; what is less than none or more than white is clipped when it is looked up."""

    def of(given: dict[str, Any]) -> Any:
        red, green, blue = (given["float"](given[name]) * share for name, share in zip("rgb", shares, strict=True))
        return given["int"](red + green + blue + 0.5)

    mixed: Image.Image = ImageMath.lambda_eval(of, **dict(zip("rgb", lights, strict=True)))
    return mixed


@lru_cache(maxsize=2)  # a phone's photos have one curve, and to compute its tables takes 60 ms
def _light_of_numbers(decode: Callable[[float], float], top: int) -> tuple[list[int], list[int]]:
    """Return tables from a number to the high and the low byte of its light."""
    lights = (decode(min(number / top, 1.0)) for number in range(_TOP + 1))
    return _bytes_of(round(_TOP * min(max(each, 0.0), 1.0)) for each in lights)


def _bytes_of(numbers: Iterable[int]) -> tuple[list[int], list[int]]:
    values = list(numbers)
    return [value >> 8 for value in values], [value & 255 for value in values]


@lru_cache(maxsize=1)
def _levels_of_light() -> list[int]:
    return [round(255 * srgb_of(light / _TOP)) for light in range(_TOP + 1)]
