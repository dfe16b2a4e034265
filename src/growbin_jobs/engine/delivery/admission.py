"""Decides at the door whether a message can be sent at all, alike for every broker and for the outbox.

What RabbitMQ, SQLite or a consumer can never take must be refused where it is sent: inside the actor, or in the
producer's ``send``. Accepted into an outbox it would never leave it, and its parent would never be acknowledged.
"""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from typing import Any

from dramatiq import Message

from growbin_jobs.engine.delivery.codec import encode

#: Bytes of an encoded message. RabbitMQ 4 takes no more by default, and closes the channel of all for a larger one.
MAX_BODY = 16 * 1024 * 1024

#: Milliseconds of the longest delay: 3106 days, which is what the ladder of delay queues on RabbitMQ can hold.
MAX_DELAY = (2**28 - 1) * 1000

#: Bytes of a name in AMQP; the queue of the dead letters has three characters more than its queue.
MAX_NAME, MAX_QUEUE = 255, 255 - len(".XQ")

#: RabbitMQ's priorities are one byte.
MAX_PRIORITY = 255

#: What has a form of its own in JSON, beside lists and objects.
_JSON = (str, int, float, bool, type(None))

_FIELDS = (("args", (tuple, list)), ("kwargs", dict), ("options", dict), ("message_timestamp", int))

#: Ends of names that Dramatiq gives to the queues that belong to a queue, and beginnings that belong to RabbitMQ.
_RESERVED_ENDS, _RESERVED_STARTS = (".XQ", ".DQ"), ("amq.", "growbin.delay.")

_NO_CONTROL_CHARACTERS = dict.fromkeys((*range(32), 127))


class Unsendable(ValueError):
    """A message that no broker could ever deliver; the text says what is wrong, and never repeats an argument."""


class Unencodable(Unsendable, TypeError):
    """Its arguments or options hold what JSON does not know; a ``TypeError`` too, as Dramatiq's encoder raises."""


def admit(message: Message[Any], delay: float | None = None) -> bytes:
    """Return a message's encoded form, if every broker can take it and every worker can read it.

    Parameters:
      delay: Milliseconds from now before which it must not be delivered; None or below 0: at once.

    Raises:
      Unsendable: It can never be delivered.
    """
    check(message, delay)
    return encoded(message)


def check(message: Message[Any], delay: float | None) -> None:
    """Refuse a message whose fields cannot be carried, whatever its arguments are.

    Parameters:
      delay: Milliseconds from now before which it must not be delivered; None or below 0: at once.

    Raises:
      Unsendable: It can never be delivered.
    """
    message_id, options = message.message_id, message.options
    usual = type(message.args) is tuple and type(options) is dict and type(message.message_timestamp) is int
    if not (usual and type(message.kwargs) is dict):
        _check_fields(message)
    check_names(message.queue_name, message.actor_name)
    # Nearly all are plain and short, and each message is checked.
    if not (type(message_id) is str and 0 < len(message_id) < 80 and message_id.isascii() and message_id.isprintable()):
        _check_text("message id", message_id, MAX_NAME)
    if delay is not None:
        check_delay(delay)
    if options:
        check_options(options)


def encoded(message: Message[Any]) -> bytes:
    """Return a message that :func:`check` has let pass in its encoded form.

    Raises:
      Unsendable: It cannot be encoded, or is too large.
    """
    try:
        body = encode(message)
    except (TypeError, ValueError, RecursionError) as error:
        raise Unencodable(
            f"A message for {message.actor_name!r} cannot be encoded as JSON: {_what_is_not_json(message, error)}."
        ) from error
    check_size(body)
    return body


def _what_is_not_json(message: Message[Any], error: Exception) -> str:
    """Say where a message holds what cannot be encoded, and of what type it is; no values."""
    parts = [(f"args[{number}]", value) for number, value in enumerate(message.args)]
    parts += [(f"kwargs[{name!r}]", value) for name, value in message.kwargs.items()]
    parts += [(f"the option {name!r}", value) for name, value in message.options.items()]
    for where, value in parts:
        try:
            encode(Message(queue_name="q", actor_name="a", args=(value,), kwargs={}, options={}))
        except RecursionError:
            return f"{where} is nested too deeply, or holds itself"
        except (TypeError, ValueError) as refused:
            with suppress(RecursionError):
                return f"{where} holds {_foreign_type(value) or f'what raises {type(refused).__name__}'}"
    return type(error).__name__


def _foreign_type(value: Any) -> str | None:
    """Return the type of the first thing inside a value that JSON does not know; None: it is not the type."""
    if isinstance(value, dict):
        key = next((each for each in value if not isinstance(each, _JSON)), None)
        if key is not None:
            return f"a key of type {type(key).__name__}"
        inside = list(value.values())
    elif isinstance(value, (list, tuple)):
        inside = list(value)
    elif isinstance(value, int) and value.bit_length() > 10_000:
        return "a number of too many digits"
    else:
        return None if isinstance(value, _JSON) else f"a {type(value).__module__}.{type(value).__qualname__}"
    return next((found for each in inside if (found := _foreign_type(each))), None)


def check_size(body: bytes) -> None:
    """Refuse an encoded message that is too large.

    Raises:
      Unsendable: With what to do instead.
    """
    if len(body) > MAX_BODY:
        raise Unsendable(
            f"A message of {len(body)} bytes is too large: at most {MAX_BODY}. Put the data into the object store and "
            "send where it is."
        )


def check_delay(delay: object) -> None:
    """Refuse a delay that is no number of milliseconds, or longer than any broker holds.

    Raises:
      Unsendable: With what is wrong.
    """
    if delay is None:
        return
    if not is_number(delay):
        raise Unsendable(f"A delay is a number of milliseconds, not {_kind(delay)}.")
    if delay > MAX_DELAY:  # type: ignore[operator]
        raise Unsendable(
            f"A delay may be at most {MAX_DELAY // 86_400_000} days long. Keep the message in a database and send it "
            "when it is nearer."
        )


def check_options(options: dict[str, Any]) -> None:
    """Refuse values of those options that brokers and Dramatiq's worker read.

    Raises:
      Unsendable: With what is wrong.
    """
    check_priority(options.get("broker_priority"))
    eta = options.get("eta")
    if eta is not None and not is_time(eta):
        raise Unsendable(f"The option eta is a time in milliseconds since 1970, not {_kind(eta)}.")


def is_time(eta: object) -> bool:
    """Return True for a number that can be a time in milliseconds since 1970."""
    return is_number(eta) and abs(eta) < 2**63  # type: ignore[arg-type]


def check_priority(priority: object) -> None:
    """Refuse a ``broker_priority`` that does not fit into AMQP's one byte.

    Raises:
      Unsendable: With what is wrong.
    """
    if priority is None:
        return
    if not isinstance(priority, int) or isinstance(priority, bool):
        raise Unsendable(f"The option broker_priority must be a whole number, not {_kind(priority)}.")
    if not 0 <= priority <= MAX_PRIORITY:
        raise Unsendable(f"The option broker_priority must be from 0 to {MAX_PRIORITY}.")


def _check_fields(message: Message[Any]) -> None:
    """Refuse what a consumer would not recognise as a message."""
    if isinstance(message.message_timestamp, float) and math.isfinite(message.message_timestamp):
        # As Dramatiq takes it from who makes a message out of time.time().
        vars(message)["message_timestamp"] = int(message.message_timestamp)
    for field, kind in _FIELDS:
        value = getattr(message, field)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise Unsendable(f"The {field} of a message cannot be of type {type(value).__name__}.")


def check_names(queue: str, actor: str) -> None:
    """Refuse names of a queue and an actor that some broker cannot carry.

    Raises:
      Unsendable: With what is wrong.
    """
    if not isinstance(queue, str) or not isinstance(actor, str):
        raise Unsendable("The queue name and actor name of a message are text.")
    _check_texts(queue, actor)


@lru_cache(maxsize=1024)
def _check_texts(queue: str, actor: str) -> None:
    _check_text("queue name", queue, MAX_QUEUE)
    _check_text("actor name", actor, MAX_NAME)
    if queue.endswith(_RESERVED_ENDS) or queue.startswith(_RESERVED_STARTS):
        raise Unsendable(f"The queue name {queue!r} is reserved for queues that belong to a queue, or to RabbitMQ.")


def _check_text(what: str, text: object, most: int) -> None:
    if not isinstance(text, str):
        raise Unsendable(f"The {what} is text, not {_kind(text)}.")
    if not text:
        raise Unsendable(f"The {what} is empty.")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise Unsendable(f"The {what} holds lone surrogates, which no broker can carry.") from None
    if len(encoded) > most:
        raise Unsendable(f"The {what} has {len(encoded)} bytes: at most {most}.")
    if text.translate(_NO_CONTROL_CHARACTERS) != text:
        raise Unsendable(f"The {what} holds control characters.")


def is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return isinstance(value, int) or math.isfinite(value)


def _kind(value: object) -> str:
    """Name a wrong value by its type: the value itself may be somebody's data."""
    return "that float" if isinstance(value, float) else type(value).__name__
