"""Reads numbers that anybody may have sent."""

import math


def finite(value: object) -> float | None:
    """Return a finite number as a float; None for anything else.

    JSON and Python have whole numbers of any size: one that is larger than every float (about 1.8e308) is none either.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
