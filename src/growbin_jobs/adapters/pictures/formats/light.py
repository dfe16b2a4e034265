"""What the numbers of a picture are as light, and whether 8 bits of them are too few."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from growbin_jobs.adapters.pictures.formats.matrices import Matrix

#: Levels of sRGB between two neighbours of 8 bits from which on a picture of more bits is read with all of them. PQ has
#: up to 5, linear light 13.
_STEEP: Final = 1.5


@dataclass(frozen=True, slots=True)
class Light:
    """How numbers become light.

    Attributes:
      colorants: Linear RGB to XYZ, adapted to D50; None: grey.
      decode: Makes a number of 0 to 1 light, of which 1 is the white of a page.
    """

    colorants: Matrix | None
    decode: Callable[[float], float]

    def is_steep(self) -> bool:
        """Return whether steps of 8 bits would be seen."""
        levels = [255 * srgb_of(self.decode(number / 255)) for number in range(256)]
        return any(high - low > _STEEP for low, high in pairwise(levels))


def srgb_of(light: float) -> float:
    """Return the number of sRGB, 0 to 1, for light; what is darker than black or brighter than white is clipped."""
    light = min(max(light, 0.0), 1.0)
    return float(light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
