"""Spreads the checks of one due time, so that thousands of targets are no burst."""

import hashlib
from collections.abc import Iterable
from datetime import timedelta
from typing import Final

#: Checks that start in one second.
A_SECOND: Final = 20

#: Share of the time between two due times within which all checks start.
WITHIN: Final = 0.8


def spread(targets: Iterable[str], every: timedelta) -> list[tuple[str, int]]:
    """Return each target with the milliseconds that its check waits: always the same for the same target and number.

    Parameters:
      every: Time between two due times.
    """
    names = list(targets)
    window = min(len(names) / A_SECOND, WITHIN * every.total_seconds())
    return [(name, round(_share(name) * window * 1000)) for name in names]


def _share(name: str) -> float:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48
