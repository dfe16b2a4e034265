"""Matrices of three rows, and how colorants are computed from points of the CIE diagram."""

from collections.abc import Sequence
from typing import Final

Point = tuple[float, float]
#: Red, green, blue and white, as x and y.
Primaries = tuple[Point, Point, Point, Point]
Matrix = Sequence[Sequence[float]]

D65: Final = (0.3127, 0.3290)
SRGB: Final[Primaries] = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), D65)

#: White of a profile's connection space, and how eyes adapt to it (ICC.1:2022 §7.2.16, annex E).
D50: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))


def to_d50(points: Primaries) -> Matrix:
    """Return linear RGB to XYZ, adapted to D50. Raises ZeroDivisionError for points that span no colours."""
    columns = [(x / y, 1.0, (1 - x - y) / y) for x, y in points]
    white = columns.pop()
    colorants = list(zip(*columns, strict=True))
    shares = times(inverse(colorants), white)
    scaled = [[value * share for value, share in zip(row, shares, strict=True)] for row in colorants]
    seen, wanted = times(_BRADFORD, white), times(_BRADFORD, D50)
    adapted = [
        [value * to / of for value in row] for row, of, to in zip(product(_BRADFORD, scaled), seen, wanted, strict=True)
    ]
    return product(inverse(_BRADFORD), adapted)


def times(matrix: Matrix, vector: Sequence[float]) -> list[float]:
    """Return matrix times vector."""
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def product(one: Matrix, other: Matrix) -> Matrix:
    """Return matrix times matrix."""
    return list(zip(*(times(one, column) for column in zip(*other, strict=True)), strict=True))


def inverse(matrix: Matrix) -> Matrix:
    """Return the inverse. Raises ZeroDivisionError where there is none."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return [
        [(e * i - f * h) / size, (c * h - b * i) / size, (b * f - c * e) / size],
        [(f * g - d * i) / size, (a * i - c * g) / size, (c * d - a * f) / size],
        [(d * h - e * g) / size, (b * g - a * h) / size, (a * e - b * d) / size],
    ]
