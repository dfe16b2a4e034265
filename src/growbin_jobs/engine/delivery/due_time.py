"""The due time that a message may name (``eta``), which Dramatiq's worker would wait for with the message in memory."""

from __future__ import annotations

import time
from typing import Any

from growbin_jobs.engine.delivery.admission import is_time


def forget_what_is_due(options: dict[str, Any]) -> None:
    """Remove from the options of a message that has arrived a due time that has come, or is none."""
    if seconds_until_due(options) <= 0:
        options.pop("eta", None)


def seconds_until_due(options: dict[str, Any]) -> float:
    """Return the seconds until the due time that options name; 0 or less: it has come, or there is none."""
    eta: Any = options.get("eta")
    return eta / 1000 - time.time() if is_time(eta) else 0.0
