"""Makes the colour profile that numbers stand for: where a file names its primaries and its curve, and has no profile.

PNG says it in ``cICP``, ``gAMA`` and ``cHRM``, HEIC in ``nclx``. Numbers of both: ITU-T H.273 §8.1, §8.2. A curve for
video (BT.709 and alike) counts as sRGB's, as in browsers. What is brighter than the white of a page (203 cd/m², ITU-R
BT.2408) is white.
"""

import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

Point = tuple[float, float]
#: Red, green, blue and white, as x and y.
Primaries = tuple[Point, Point, Point, Point]
_Matrix = Sequence[Sequence[float]]

_D65: Final = (0.3127, 0.3290)
SRGB: Final[Primaries] = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), _D65)
_PRIMARIES: Final[dict[int, Primaries]] = {
    1: SRGB,
    2: SRGB,  # unspecified
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), _D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), _D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), _D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), _D65),
}
_POWERS: Final = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_LIKE_SRGB: Final = frozenset({1, 2, 6, 13, 14, 15})
_PQ, _HLG = 16, 18

#: White of a profile's connection space, and how eyes adapt to it (ICC.1:2022 §7.2.16, annex E).
_D50: Final = (0.9642, 1.0, 0.8249)
_BRADFORD: Final = ((0.8951, 0.2664, -0.1614), (-0.7502, 1.7135, 0.0367), (0.0389, -0.0685, 1.0296))
_POINTS: Final = 1024


def of_numbers(primaries: int, curve: int) -> bytes | None:
    """Return the profile of H.273's numbers; None where they mean sRGB or nothing that is known."""
    points = _PRIMARIES.get(primaries)
    if points is None or not (curve in _LIKE_SRGB or curve in _POWERS or curve in (_PQ, _HLG)):
        return None
    if points is SRGB and curve in _LIKE_SRGB:
        return None
    return _kept(points, curve, 0.0)


def of_png(gamma: int | None, points: Primaries | None) -> bytes | None:
    """Return the profile of a PNG's ``gAMA`` and ``cHRM``; None where they mean sRGB, or are nonsense.

    Parameters:
      gamma: 100,000 divided by the power; 45,455 stands for sRGB's curve (PNG 3rd ed. §11.3.2.5).
      points: None: sRGB's.
    """
    if gamma is not None and not 10_000 <= gamma <= 200_000:
        return None
    power = 0.0 if gamma is None or abs(gamma - 45_455) <= 500 else 100_000 / gamma
    if points in (None, SRGB) and not power:
        return None
    return _profile(points or SRGB, 0 if power else 13, power)


def _profile(points: Primaries, curve: int, power: float) -> bytes | None:
    """Return a profile of three colorants and a table (ICC.1:2001-04 §6), which is all that is needed."""
    try:
        columns = list(zip(*_to_d50(points), strict=True))
    except ZeroDivisionError:
        return None  # points that span no colours
    if not all(-2 < value < 3 for column in columns for value in column):
        return None
    decode = _decoder(curve, power)
    levels = [round(65_535 * min(max(decode(at / (_POINTS - 1)), 0.0), 1.0)) for at in range(_POINTS)]
    table = b"curv\0\0\0\0" + struct.pack(f">L{_POINTS}H", _POINTS, *levels)
    bodies = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    bodies |= {b"wtpt": _xyz(_D50), b"rTRC": table}
    at, listed = 128 + 4 + 12 * 7, b""
    for name, body in bodies.items():
        listed += name + struct.pack(">LL", at, len(body))
        at += len(body)
    listed += b"".join(name + listed[-8:] for name in (b"gTRC", b"bTRC"))  # all three share one table
    head = struct.pack(">L4sL4s4s4s", at, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    return head + bytes(28) + _xyz(_D50)[8:] + bytes(48) + struct.pack(">L", 7) + listed + b"".join(bodies.values())


_kept = lru_cache(maxsize=16)(_profile)


def _decoder(curve: int, power: float) -> Callable[[float], float]:
    """Return what makes a level of 0 to 1 light, of which 1 is the white of a page."""
    power = power or _POWERS.get(curve, 0.0)
    if power:
        return lambda level: math.pow(level, power)
    return {_PQ: _of_pq, _HLG: _of_hlg}.get(curve, _of_srgb)


def _of_srgb(level: float) -> float:
    return level / 12.92 if level <= 0.04045 else math.pow((level + 0.055) / 1.055, 2.4)


def _of_pq(level: float) -> float:
    root = math.pow(level, 32 / 2523)
    return math.pow(max(root - 0.8359375, 0.0) / (18.8515625 - 18.6875 * root), 16_384 / 2610) * 10_000 / 203


def _of_hlg(level: float) -> float:
    light = level**2 / 3 if level <= 0.5 else (math.exp((level - 0.55991073) / 0.17883277) + 0.28466892) / 12
    return light / 0.265  # what the level 0.75 is


def _xyz(values: Sequence[float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">l", round(value * 65_536)) for value in values)


def _to_d50(points: Primaries) -> _Matrix:
    """Return linear RGB to XYZ, adapted to D50."""
    columns = [(x / y, 1.0, (1 - x - y) / y) for x, y in points]
    white = columns.pop()
    colorants = list(zip(*columns, strict=True))
    shares = _times(_inverse(colorants), white)
    scaled = [[value * share for value, share in zip(row, shares, strict=True)] for row in colorants]
    seen, wanted = _times(_BRADFORD, white), _times(_BRADFORD, _D50)
    adapted = [
        [value * to / of for value in row]
        for row, of, to in zip(_product(_BRADFORD, scaled), seen, wanted, strict=True)
    ]
    return _product(_inverse(_BRADFORD), adapted)


def _times(matrix: _Matrix, vector: Sequence[float]) -> list[float]:
    return [sum(one * other for one, other in zip(row, vector, strict=True)) for row in matrix]


def _product(one: _Matrix, other: _Matrix) -> _Matrix:
    return list(zip(*(_times(one, column) for column in zip(*other, strict=True)), strict=True))


def _inverse(matrix: _Matrix) -> _Matrix:
    (a, b, c), (d, e, f), (g, h, i) = matrix
    size = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    return [
        [(e * i - f * h) / size, (c * h - b * i) / size, (b * f - c * e) / size],
        [(f * g - d * i) / size, (a * i - c * g) / size, (c * d - a * f) / size],
        [(d * h - e * g) / size, (b * g - a * h) / size, (a * e - b * d) / size],
    ]
