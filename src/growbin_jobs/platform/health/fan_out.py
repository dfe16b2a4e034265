"""Spreads the checks of one due time, so that thousands of targets are no burst."""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

#: Checks that start in one second.
A_SECOND: Final = 20

#: Share of the time between two due times within which all checks start: more targets are more in a second.
WITHIN: Final = 0.8

#: Messages that are surely sent in a second: the first check waits until the last message is, or those whose time has
#: come meanwhile would begin together.
SENT_A_SECOND: Final = 1000

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "growbin-jobs:health")


def spread(targets: Iterable[str], every: timedelta) -> list[tuple[str, int]]:
    """Return each target with the milliseconds that its check waits: one after the other, in an order without meaning.

    The order is the same each time, so that the time between two checks of a target is, too.

    Parameters:
      every: Time between two due times.
    """
    names = sorted(targets, key=_place)
    step = min(1 / A_SECOND, WITHIN * every.total_seconds() / max(1, len(names)))
    begin = len(names) / SENT_A_SECOND
    return [(name, round((begin + number * step) * 1000)) for number, name in enumerate(names)]


def check_id(target: str, due: datetime) -> str:
    """Return the id of the message of a check: whoever sends it sends the same one.

    Parameters:
      target: Such as ``agent:7``.
      due: When the check is due.
    """
    return str(uuid.uuid5(_NAMESPACE, f"{target} {due.timestamp():.6f}"))


def _place(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()
