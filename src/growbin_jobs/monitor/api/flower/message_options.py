"""Celery's options of a message as Dramatiq's: when it may run, until when, under which id, in which queue."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.monitor.api.flower.arguments import moment_of, seconds_of
from growbin_jobs.monitor.security.refusals import BadInput

#: Options without a meaning here, which change nothing of what runs: they are taken and left.
_LEFT: Final = frozenset(
    {
        "retry", "retry_policy", "serializer", "compression", "ignore_result", "exchange", "delivery_mode",
        "connection", "producer", "publisher", "add_to_parent", "shadow", "argsrepr", "kwargsrepr", "reply_to",
    }
)  # fmt: skip
_KNOWN: Final = frozenset({"args", "kwargs", "eta", "countdown", "expires", "task_id", "queue", "routing_key"})

#: Characters of an id that somebody chooses.
LONGEST_ID: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """How a message is to be sent.

    Attributes:
      delay: Milliseconds; None: at once.
      max_age: Milliseconds after which it is given up unless it has begun; None: never.
      task_id: That the sender wants; None: a new one.
      queue: That the sender wants; None: the actor's own.
    """

    args: list[Any]
    kwargs: dict[str, Any]
    delay: int | None
    max_age: int | None
    task_id: str | None
    queue: str | None


def sending_of(body: dict[str, Any], zone: ZoneInfo) -> Sending:
    """Read the body of a request.

    Parameters:
      zone: Of times without an offset.

    Raises:
      BadInput: Something is wrong, or an option would be lost that changes what runs.
    """
    unknown = sorted(name for name in set(body) - _KNOWN - _LEFT if body[name] is not None)
    if unknown:
        raise BadInput(
            f"There is no such thing here: {', '.join(unknown)[:200]}. Known are {', '.join(sorted(_KNOWN))}."
        )
    args, kwargs = body.get("args", []), body.get("kwargs", {})
    if not isinstance(args, list):
        raise BadInput("args must be an array.")
    if not isinstance(kwargs, dict):
        raise BadInput("kwargs must be an object.")
    return Sending(
        args=args,
        kwargs=kwargs,
        delay=_delay(body, zone),
        max_age=_max_age(body.get("expires"), zone),
        task_id=_word(body, "task_id"),
        queue=_word(body, "queue") or _word(body, "routing_key"),
    )


def _delay(body: dict[str, Any], zone: ZoneInfo) -> int | None:
    eta, countdown = body.get("eta"), body.get("countdown")
    if eta is not None:
        return _millis_until(moment_of("eta", eta, zone))
    return None if countdown is None else round(seconds_of("countdown", countdown) * 1000)


def _max_age(expires: Any, zone: ZoneInfo) -> int | None:
    if expires is None:
        return None
    try:
        return round(seconds_of("expires", expires) * 1000)
    except BadInput:
        return _millis_until(moment_of("expires", expires, zone))


def _millis_until(moment: datetime) -> int:
    return max(0, round((moment - datetime.now(UTC)).total_seconds() * 1000))


def _word(body: dict[str, Any], name: str) -> str | None:
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.isprintable() or not 1 <= len(value) <= LONGEST_ID:
        raise BadInput(f"{name} must be a text of 1 to {LONGEST_ID} printable characters.")
    return value
