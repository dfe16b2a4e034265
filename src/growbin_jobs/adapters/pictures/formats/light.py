"""What the numbers of a picture are as light, and whether 8 bits of them are too few."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from growbin_jobs.adapters.pictures.formats.matrices import SRGB, Matrix, inverse, product, to_d50

#: Levels of sRGB between two neighbours of 8 bits from which on a picture of more bits is read with all of them. PQ has
#: up to 5, linear light 13.
_STEEP: Final = 1.5
#: Colorants count as sRGB's up to this difference.
_SAME: Final = 0.001
#: Sum of what one colour of sRGB takes of the three, from which on its dark levels are differences of much larger ones,
#: whose steps of 8 bits are seen: sRGB has 1, Display P3 1.45, Adobe RGB 1.8, BetaRGB 2.2.
_WIDE: Final = 1.5


@dataclass(frozen=True, slots=True)
class Light:
    """How numbers become light.

    Attributes:
      colorants: Linear RGB to XYZ, adapted to D50; None: grey.
      decode: Makes a number of 0 to 1 light, of which 1 is the white of a page.
    """

    colorants: Matrix | None
    decode: Callable[[float], float]

    def to_srgb(self) -> Matrix | None:
        """Return light of these colorants to that of sRGB's; None where they are the same, or there are none."""
        if self.colorants is None:
            return None
        matrix = product(inverse(to_d50(SRGB)), self.colorants)
        parts = [part - (row == column) for row, parts in enumerate(matrix) for column, part in enumerate(parts)]
        return matrix if any(abs(part) >= _SAME for part in parts) else None

    def needs_all_bits(self) -> bool:
        """Return whether steps of 8 bits would be seen."""
        if any(sum(map(abs, row)) > _WIDE for row in self.to_srgb() or ()):
            return True
        levels = [255 * srgb_of(self.decode(number / 255)) for number in range(256)]
        return any(high - low > _STEEP for low, high in pairwise(levels))


def srgb_of(light: float) -> float:
    """Return the number of sRGB, 0 to 1, for light; what is darker than black or brighter than white is clipped."""
    light = min(max(light, 0.0), 1.0)
    return float(light * 12.92 if light <= 0.0031308 else 1.055 * light ** (1 / 2.4) - 0.055)
