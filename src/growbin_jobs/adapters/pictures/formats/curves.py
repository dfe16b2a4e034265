"""Reads what an ICC profile of three colorants and one curve means; all others are LittleCMS's.

Source: ICC.1:2022 §10.6 (``curv``), §10.18 (``para``), §10.31 (``XYZ``), §9 (tags).
"""

import math
import struct
from collections.abc import Callable, Sequence
from typing import Final

from growbin_jobs.adapters.pictures.formats.light import Light

_HEADER: Final = 128
_MAX_TAGS: Final = 100
#: Displays and films have up to 3; more would overflow.
_MAX_POWER: Final = 10.0
_COLORANTS: Final = (b"rXYZ", b"gXYZ", b"bXYZ")
_CURVES: Final = (b"rTRC", b"gTRC", b"bTRC")
#: Numbers of each kind of ``para``.
_PARAMETERS: Final = (1, 3, 4, 5, 7)


def light_of(profile: bytes) -> Light | None:
    """Return what the numbers of a profile are as light; None where it is of another kind, or damaged."""
    try:
        tags = _tags(profile)
        if profile[20:24] != b"XYZ " or any(name[:3] in (b"A2B", b"D2B") for name in tags):
            return None
        if profile[16:20] == b"GRAY":
            return Light(None, _curve(tags[b"kTRC"]))
        if profile[16:20] != b"RGB " or len({tags[name] for name in _CURVES}) > 1:
            return None
        columns = [_xyz(tags[name]) for name in _COLORANTS]
        return Light(list(zip(*columns, strict=True)), _curve(tags[b"rTRC"]))
    except (struct.error, KeyError, IndexError, ValueError):
        return None


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">L", profile, _HEADER)
    entries = [struct.unpack_from(">4sLL", profile, _HEADER + 4 + 12 * at) for at in range(min(count, _MAX_TAGS))]
    return {name: profile[begin : begin + size] for name, begin, size in entries}


def _xyz(tag: bytes) -> tuple[float, ...]:
    if tag[:4] != b"XYZ ":
        raise ValueError("no XYZ")
    return tuple(value / 65_536 for value in struct.unpack_from(">3l", tag, 8))


def _curve(tag: bytes) -> Callable[[float], float]:
    if tag[:4] == b"para":
        return _parametric(tag)
    if tag[:4] != b"curv":
        raise ValueError("no curve")
    (count,) = struct.unpack_from(">L", tag, 8)
    table = struct.unpack_from(f">{count}H", tag, 12) if count * 2 <= len(tag) else ()
    if count < 2:
        power = _checked(table[0] / 256 if table else 1.0)
        return lambda number: math.pow(number, power)
    return lambda number: _between(table, number * (count - 1)) / 65_535


def _checked(power: float) -> float:
    if not 0 < power <= _MAX_POWER:
        raise ValueError("no curve of a picture")
    return power


def _between(table: Sequence[int], place: float) -> float:
    at = min(int(place), len(table) - 2)
    return table[at] + (table[at + 1] - table[at]) * (place - at)


def _parametric(tag: bytes) -> Callable[[float], float]:
    (kind,) = struct.unpack_from(">H", tag, 8)
    given: list[float] = [value / 65_536 for value in struct.unpack_from(f">{_PARAMETERS[kind]}l", tag, 12)]
    power = _checked(given[0])
    a, b = given[1:3] if kind else (1.0, 0.0)
    if kind in (3, 4):
        slope, begins = given[3:5]
        offset, end = given[5:] or (0.0, 0.0)
    else:  # a level line up to where the power's base is 0
        offset = end = given[3] if kind == 2 else 0.0
        slope, begins = 0.0, -b / a if a else 0.0

    def decode(number: float) -> float:
        if number < begins:
            return slope * number + end
        return float(max(a * number + b, 0.0) ** power) + offset

    return decode
