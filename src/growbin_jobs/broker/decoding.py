"""From bytes that anybody may have put into a queue to a message that cannot hurt a worker."""

from __future__ import annotations

from typing import Any

from dramatiq import Message
from dramatiq.errors import DecodeError

from growbin_jobs.text import well_formed


class Undecodable(ValueError):
    """These bytes are no message. The text names what is wrong and never the content."""


def decode(body: bytes, queue_name: str | None) -> Message[Any]:
    """Return the message in a delivery.

    Dramatiq looks into ``options`` and finds the consumer by the message's own ``queue_name``. A wrong type in the
    first ends its consumer thread, another name in the second a worker thread, each time the message is delivered.
    So types are checked, and the queue that it came from is its queue (a person may have moved it there).

    Parameters:
      body: What the broker delivered.
      queue_name: The queue that is consumed; None where the message itself says whose it is.

    Raises:
      Undecodable: The message belongs to the dead letters.
    """
    try:
        message: Message[Any] = Message.decode(body)
    except DecodeError as error:
        raise Undecodable(f"{type(error.error).__name__} while decoding") from None
    expected = {"actor_name": str, "message_id": str, "kwargs": dict, "options": dict, "message_timestamp": int}
    if queue_name is None:
        expected["queue_name"] = str
    for field, kind in expected.items():
        if not isinstance(getattr(message, field), kind):
            raise Undecodable(f"{field} is no {kind.__name__}")
    for field in ("actor_name", "message_id"):
        if well_formed(getattr(message, field)) != getattr(message, field):
            raise Undecodable(f"{field} holds lone surrogates")
    return message if queue_name in (None, message.queue_name) else message.copy(queue_name=queue_name)
