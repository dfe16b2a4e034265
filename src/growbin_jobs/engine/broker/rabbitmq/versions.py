"""What people must know about the version of RabbitMQ that they run: said by ``growbin-jobs doctor``.

Facts: RabbitMQ's release notes of 3.10 to 4.4, and its page of release series, read in November 2026. The tests run on
3.10.8 and 4.0.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

#: The oldest that has at-least-once dead-lettering.
OLDEST = (3, 10)

#: Quorum queues count deliveries to 20, messages end at 16 MiB, classic queues have no mirrors.
FOUR = (4, 0)

#: The queue, no longer the channel, watches how long a consumer holds a message.
QUEUE_WATCHES = (4, 3)


def version_of(properties: Mapping[str, Any] | None) -> str:
    """Return the version that a server names when somebody connects, or ``?``."""
    version = (properties or {}).get("version")
    return version if isinstance(version, str) and version.isprintable() and len(version) < 40 else "?"


def caveats(version: str, queue_type: Literal["quorum", "classic"]) -> Iterator[tuple[Literal["ok", "warning"], str]]:
    """Yield what a person should know (``ok``), or change (``warning``), as sentences.

    Parameters:
      version: For instance ``4.0.5``.
      queue_type: Of the queues that workers declare.
    """
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        yield "warning", "RabbitMQ does not say its version; it must be 3.10 or newer."
        return
    series = int(found[1]), int(found[2])
    if series < OLDEST:
        yield "warning", f"RabbitMQ {version} is too old: dead letters can get lost before 3.10. Upgrade it."
    elif series < FOUR:
        yield (
            "warning",
            f"RabbitMQ {version} is out of its makers' support. Plan the upgrade to 4.",
        )
    else:
        yield from _of_four(series, queue_type)


def _of_four(
    series: tuple[int, int], queue_type: Literal["quorum", "classic"]
) -> Iterator[tuple[Literal["ok", "warning"], str]]:
    yield (
        "ok",
        "RabbitMQ 4 obeys a policy with a delivery-limit (our queues ask for none), and refuses messages above its "
        "max_message_size (16 MiB unless set; we send up to that). Lower neither.",
    )
    if queue_type == "classic":
        yield (
            "warning",
            "RabbitMQ 4 keeps a classic queue on one server only. Set GROWBIN_QUEUE_TYPE=quorum where the loss of a "
            "server must lose nothing.",
        )
    elif series >= QUEUE_WATCHES:
        yield (
            "ok",
            "From 4.3 on a quorum queue gives what a worker holds longer than consumer_timeout to another one while "
            "the first still runs. Set it above the longest time limit of your actors.",
        )
