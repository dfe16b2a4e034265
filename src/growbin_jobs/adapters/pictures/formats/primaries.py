"""Makes the colour profile that numbers stand for: where a file names its primaries and its curve, and has no profile.

PNG says it in ``cICP``, ``gAMA`` and ``cHRM``, HEIC in ``nclx``. Numbers of both: ITU-T H.273 §8.1, §8.2. A curve for
video (BT.709 and alike) counts as sRGB's, as in browsers. What is brighter than the white of a page (203 cd/m², ITU-R
BT.2408) is white.
"""

import math
import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from growbin_jobs.adapters.pictures.formats.light import Light
from growbin_jobs.adapters.pictures.formats.matrices import D50, D65, SRGB, Matrix, Primaries, to_d50

_PRIMARIES: Final[dict[int, Primaries]] = {
    1: SRGB,
    2: SRGB,  # unspecified
    5: ((0.64, 0.33), (0.29, 0.60), (0.15, 0.06), D65),
    6: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    7: ((0.630, 0.340), (0.310, 0.595), (0.155, 0.070), D65),
    9: ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046), D65),
    11: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), (0.314, 0.351)),
    12: ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060), D65),
}
_POWERS: Final = {4: 2.2, 5: 2.8, 8: 1.0, 17: 2.6}
_LIKE_SRGB: Final = frozenset({1, 2, 6, 13, 14, 15})
_PQ, _HLG = 16, 18

_POINTS: Final = 1024


class Numbers(NamedTuple):
    """What a file says of its colours without a profile: they are not sRGB."""

    points: Primaries
    curve: int
    power: float

    def profile(self) -> bytes | None:
        """Return the profile; None where its points span no colours."""
        return _kept(*self)

    def light(self) -> Light | None:
        """Return what the numbers are as light; None where the points span no colours."""
        colorants = _colorants(self.points)
        return Light(colorants, _decoder(self.curve, self.power)) if colorants else None


def of_numbers(primaries: int, curve: int) -> Numbers | None:
    """Return what H.273's numbers say; None where they mean sRGB or nothing that is known."""
    points = _PRIMARIES.get(primaries)
    if points is None or not (curve in _LIKE_SRGB or curve in _POWERS or curve in (_PQ, _HLG)):
        return None
    if points is SRGB and curve in _LIKE_SRGB:
        return None
    return Numbers(points, curve, 0.0)


def of_png(gamma: int | None, points: Primaries | None) -> Numbers | None:
    """Return what a PNG's ``gAMA`` and ``cHRM`` say; None where they mean sRGB, or are nonsense.

    Parameters:
      gamma: 100,000 divided by the power; 45,455 stands for sRGB's curve (PNG 3rd ed. §11.3.2.5).
      points: None: sRGB's.
    """
    if gamma is not None and not 10_000 <= gamma <= 200_000:
        return None
    power = 0.0 if gamma is None or abs(gamma - 45_455) <= 500 else 100_000 / gamma
    if points in (None, SRGB) and not power:
        return None
    return Numbers(points or SRGB, 0 if power else 13, power)


def _colorants(points: Primaries) -> Matrix | None:
    try:
        colorants = to_d50(points)
    except ZeroDivisionError:
        return None
    return colorants if all(-2 < value < 3 for row in colorants for value in row) else None


def _profile(points: Primaries, curve: int, power: float) -> bytes | None:
    """Return a profile of three colorants and a table (ICC.1:2001-04 §6), which is all that is needed."""
    colorants = _colorants(points)
    if colorants is None:
        return None
    columns = list(zip(*colorants, strict=True))
    decode = _decoder(curve, power)
    levels = [round(65_535 * min(max(decode(at / (_POINTS - 1)), 0.0), 1.0)) for at in range(_POINTS)]
    table = b"curv\0\0\0\0" + struct.pack(f">L{_POINTS}H", _POINTS, *levels)
    bodies = {name: _xyz(column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns, strict=True)}
    bodies |= {b"wtpt": _xyz(D50), b"rTRC": table}
    at, listed = 128 + 4 + 12 * 7, b""
    for name, body in bodies.items():
        listed += name + struct.pack(">LL", at, len(body))
        at += len(body)
    listed += b"".join(name + listed[-8:] for name in (b"gTRC", b"bTRC"))  # all three share one table
    head = struct.pack(">L4sL4s4s4s", at, bytes(4), 0x02400000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    return head + bytes(28) + _xyz(D50)[8:] + bytes(48) + struct.pack(">L", 7) + listed + b"".join(bodies.values())


_kept = lru_cache(maxsize=16)(_profile)


@lru_cache(maxsize=16)  # the same one again, so that what is computed from it can be kept
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
