"""How people write a rate: ``100/min``, ``5/s``, ``2000/h``, ``10000/day``; ``100`` alone is for a minute."""

import re
from typing import Final, NamedTuple

#: Seconds of the units of time, each with the name that is shown.
_UNITS: Final = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86_400.0}

_RATE: Final = re.compile(r"([0-9]{1,15})(?:/(s|min|h|day))?", re.ASCII)


class Rate(NamedTuple):
    """At most so much in any window of a length.

    Attributes:
      most: Units: requests, or tokens.
      window: Seconds.
    """

    most: int
    window: float = 60.0

    def __str__(self) -> str:
        unit = next((name for name, seconds in _UNITS.items() if seconds == self.window), f"{self.window:g} s")
        return f"{self.most}/{unit}"


def parse_rate(text: str) -> Rate:
    """Return the rate that a text says.

    Raises:
      ValueError: With a sentence that says how one is written.
    """
    found = _RATE.fullmatch(text.strip())
    if found is None or int(found[1]) < 1:
        raise ValueError(f"{text.strip()!r} is no rate. Write a whole number of 1 or more and a unit, such as 100/min.")
    return Rate(int(found[1]), _UNITS[found[2] or "min"])


def parse_rates(text: str) -> dict[str, Rate]:
    """Return the rates by name of a list such as ``project=500/min, tokens:vision=200000/min``.

    Raises:
      ValueError: With a sentence that says which part is wrong.
    """
    rates: dict[str, Rate] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, rate = (piece.strip() for piece in part.rpartition("="))
        if not (name and equals):
            raise ValueError(f"{part!r} is no limit. Write NAME=RATE, such as project=500/min.")
        if name in rates:
            raise ValueError(f"The limit {name} is named twice.")
        rates[name] = parse_rate(rate)
    return rates
