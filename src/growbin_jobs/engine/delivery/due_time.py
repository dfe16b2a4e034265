"""The due time that a message may name (``eta``), which Dramatiq's worker would wait for with the message in memory."""

from __future__ import annotations

import math
import time
from typing import Any

from dramatiq import Message

from growbin_jobs.engine.delivery.admission import is_number, is_time


def delay_until_due(message: Message[Any], delay: int | None, now: float | None = None) -> int | None:
    """Return the delay with which a message is sent that names its due time, as Dramatiq's workers obey it.

    Parameters:
      delay: Milliseconds that its sender has asked for besides.
      now: Seconds since 1970; None: by the system's clock.

    Returns:
      The longer of both; ``delay`` itself where it is no number, or the message names no time to come.
    """
    if delay is not None and not is_number(delay):
        return delay
    left = math.ceil(seconds_until_due(message.options, now) * 1000)
    return delay if left <= 0 else max(left, delay or 0)


def forget_what_is_due(options: dict[str, Any]) -> None:
    """Remove from the options of a message that has arrived a due time that has come, or is none."""
    if seconds_until_due(options) <= 0:
        options.pop("eta", None)


def seconds_until_due(options: dict[str, Any], now: float | None = None) -> float:
    """Return the seconds until the due time that options name; 0 or less: it has come, or there is none.

    Parameters:
      now: Seconds since 1970; None: by the system's clock.
    """
    eta: Any = options.get("eta")
    return eta / 1000 - (time.time() if now is None else now) if is_time(eta) else 0.0
