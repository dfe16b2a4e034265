"""A message that was given up, as a person sends it again."""

import json
import time
from typing import Any, Final

#: What a message has gone through, beside its counts.
_PAST = ("deferred_since", "eta", "traceback", "requeue_timestamp", "requeues")

#: Counts, which a new message does not have.
_COUNTS = ("retries", "deferrals")

#: What other messages wait for of this one: they have had it, or wait for the old one.
_TIES = ("group_completion_uuid", "group_completion_callbacks", "pipe_target", "workflow")

#: Option of a message that must not be served with an answer of before; its value tells one such wish from others.
FRESH: Final = "fresh_answers"

#: Option of a message that has time: the price tier in which its model is asked.
TIER: Final = "service_tier"


def rerun(body: bytes) -> bytes:
    """Return the encoded message with its retries and its waiting time counted anew, under the same id.

    A node that has seen it end knows a run by its counts (:func:`growbin_jobs.engine.delivery.runs.has_ended`). So one
    of them has to grow: that of the times it was put off, which has no limit.
    """
    message: dict[str, Any] = json.loads(body)
    options = {name: value for name, value in message["options"].items() if name not in _PAST}
    deferrals = options.get("deferrals")
    options |= {"retries": 0, "deferrals": (deferrals if isinstance(deferrals, int) else 0) + 1}
    return json.dumps(message | {"options": options}, separators=(",", ":")).encode()


def again(
    body: bytes | str, message_id: str, *, changes: dict[str, Any] | None = None, fresh: bool = False
) -> dict[str, Any]:
    """Return a message that asks for the same as another one, under a new id: it runs, whatever became of that one.

    Its options stay, such as priority and time limit; what it has gone through does not, nor what others wait for.

    Parameters:
      body: The encoded message.
      message_id: The new id.
      changes: Fields that differ, such as ``args`` and ``kwargs``.
      fresh: Answers of models are asked for anew.

    Raises:
      ValueError: It is no message.
    """
    try:
        message: dict[str, Any] = json.loads(body)
        gone = (*_PAST, *_COUNTS, *_TIES, FRESH)
        options = {name: value for name, value in message["options"].items() if name not in gone}
        for name in ("actor_name", "queue_name", "args", "kwargs"):
            message[name]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError("it holds no message") from None
    if fresh:
        options[FRESH] = message_id
    new = {"options": options, "message_id": message_id, "message_timestamp": int(time.time() * 1000)}
    return message | new | (changes or {})


def encoded(message: dict[str, Any]) -> bytes:
    """Return a message as it is sent."""
    return json.dumps(message, separators=(",", ":")).encode()
