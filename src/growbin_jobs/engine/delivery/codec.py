"""Messages as bytes, and bytes that anybody may have put into a queue as messages that cannot hurt a worker.

Bytes and messages are those of Dramatiq's encoder. Where that is its usual one, JSON, they are made without the detours
that it takes for each message: a new encoder, and the constructor of a frozen dataclass.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from hashlib import sha1
from operator import itemgetter
from sys import intern
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from dramatiq import JSONEncoder, Message, get_encoder
from dramatiq.errors import DecodeError

from growbin_jobs.engine.delivery.encoders import check_encoder, writes_json
from growbin_jobs.engine.text import well_formed

#: Returns a value and where it ends, or raises ``StopIteration`` where none begins.
_from_json = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def _encoder() -> Callable[[dict[str, Any]], str]:
    """Make the encoder once: json makes one for each call, and notes each list and dict so as to call a circle by its
    name. A circle ends with a RecursionError here.
    """
    plain = json.JSONEncoder(separators=(",", ":"), check_circular=False)
    inside: Any = json.encoder
    try:
        chunks = inside.c_make_encoder(
            None, plain.default, inside.encode_basestring_ascii, None, ":", ",", False, False, True
        )
    except (AttributeError, TypeError):  # a private part: another Python may have it otherwise, or not at all
        return plain.encode
    return lambda fields: "".join(chunks(fields, 0))


_to_json = _encoder()


_KINDS: dict[str, type] = {
    "queue_name": str,
    "actor_name": str,
    "args": list,
    "kwargs": dict,
    "options": dict,
    "message_id": str,
    "message_timestamp": int,
}
_NAMES = _KINDS.keys()
_values, _TYPES = itemgetter(*_KINDS), (*_KINDS.values(),)


class Nameless(Message[Any]):
    """A message whose sender gave it no id. The one that it has here is made up: each delivery makes up another."""


class Undecodable(ValueError):
    """These bytes are no message. The text names what is wrong and never the content."""


def encode(message: Message[Any]) -> bytes:
    """Return what ``message.encode()`` returns.

    Raises:
      ConfigurationError: Dramatiq is set to use an encoder that does not write JSON.
    """
    if type(message) is Message and type(get_encoder()) is JSONEncoder:
        return _to_json(vars(message)).encode()
    check_encoder()
    return message.encode()


def decode(body: bytes, queue_name: str | None) -> Message[Any]:
    """Return the message in a delivery.

    Dramatiq looks into ``options`` and finds the consumer by the message's own ``queue_name``. A wrong type in the
    first ends its consumer thread, another name in the second a worker thread, each time the message is delivered.
    So types are checked, and the queue that it came from is its queue (a person may have moved it there).

    Parameters:
      body: What the broker delivered.
      queue_name: The queue that is consumed; None where the message itself says whose it is.

    Returns:
      The message; a :class:`Nameless` one where it has no id of its own.

    Raises:
      Undecodable: The message belongs to the dead letters.
    """
    fields, kind = _fields(body)
    if queue_name is not None:
        fields["queue_name"] = queue_name
    queue, actor, args, kwargs, options, message_id, timestamp = values = _values(fields)
    if (*map(type, values),) != _TYPES:
        _check_kinds(fields)
        timestamp = fields["message_timestamp"]
    names = actor + message_id
    if not names.isascii() or "\0" in names:
        _check_names(fields)
    # JSON made the names of the fields anew. A dict whose keys are the program's own takes 400 bytes less, and whoever
    # looks a field up has found it without comparing its letters: some hundred times for each message.
    return assemble(
        {
            "queue_name": queue,
            "actor_name": intern(actor) if type(actor) is str else actor,
            "args": tuple(args),
            "kwargs": kwargs,
            "options": options,
            "message_id": message_id,
            "message_timestamp": timestamp,
        },
        kind,
    )


def _check_kinds(fields: dict[str, Any]) -> None:
    time = fields["message_timestamp"]
    if isinstance(time, float) and math.isfinite(time):  # as Dramatiq takes it
        fields["message_timestamp"] = int(time)
    for field, kind in _KINDS.items():
        if not isinstance(fields[field], kind):
            raise Undecodable(f"{field} is no {kind.__name__}")


def _check_names(fields: dict[str, Any]) -> None:
    for field in ("actor_name", "message_id"):
        if well_formed(fields[field]) != fields[field]:
            raise Undecodable(f"{field} holds lone surrogates")
        if "\0" in fields[field]:  # PostgreSQL has no room for it
            raise Undecodable(f"{field} holds a NUL character")


_new_message, _set = Message.__new__, object.__setattr__


def assemble(fields: dict[str, Any], kind: type[Message[Any]] = Message) -> Message[Any]:
    """Return the message with these fields, all of them, which are its own from now on; ``args`` is a tuple."""
    message: Message[Any] = _new_message(kind)
    _set(message, "__dict__", fields)
    return message


def _fields(body: bytes) -> tuple[dict[str, Any], type[Message[Any]]]:
    fields: Any = None
    if type(get_encoder()) is JSONEncoder:
        try:
            text = body.decode()
            fields, end = _from_json(text, 0)
        except (StopIteration, ValueError, RecursionError):
            pass  # white space around it; else Dramatiq says what is wrong
        else:
            whole = end == len(text) and type(fields) is dict and fields.keys() == _NAMES
            if whole and type(fields["args"]) is list:
                return fields, Message
            if type(fields) is dict and not isinstance(fields.get("args", []), list):
                raise Undecodable("args is no list")  # Dramatiq takes each character of a text for an argument
    if not writes_json():
        raise Undecodable("the encoder that this process uses reads no JSON")
    try:
        message: Message[Any] = Message.decode(body)  # also fills in what an older sender left out
    except DecodeError as error:
        raise Undecodable(f"{type(error.error).__name__} while decoding") from None
    named = type(fields) is not dict or "message_id" in fields
    return {**vars(message), "args": list(message.args)}, Message if named else Nameless


#: Namespace of the ids whose parent's id is no UUID.
NAMESPACE = uuid5(NAMESPACE_URL, "growbin-jobs:follow-ups")


def new_id() -> str:
    """Return an id that nothing else has: a UUID of version 7 (RFC 9562, section 5.7), which begins with its time.

    So ids of the same time are neighbours in each index of ids. Random ones touch a page of their own for each row: a
    commit of fifty ends writes fifty pages.
    """
    return _uuid(f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}", 7)


def is_random(message_id: str) -> bool:
    """Is it one that nobody has chosen: a UUID of version 4, as Dramatiq makes them, or of version 7, as here?"""
    return len(message_id) == 36 and message_id[14] in "47"


def follow_up_id(parent_id: str, actor_name: str, ordinal: int) -> str:
    """Return the id of a follow-up: ``uuid5(parent id, actor and ordinal)``.

    Where the parent's id begins with a time, so does this one, with the same: a UUID of version 8.

    Parameters:
      parent_id: Id of the message that sends it.
      actor_name: Whom it is for.
      ordinal: How many it has sent to that actor before.
    """
    try:
        namespace = bytes.fromhex(parent_id.replace("-", ""))
    except ValueError:
        namespace = b""
    if len(namespace) != 16:
        namespace = uuid5(NAMESPACE, parent_id).bytes
    digits = sha1(namespace + f"{actor_name}:{ordinal}".encode(), usedforsecurity=False).hexdigest()
    if len(parent_id) == 36 and parent_id[14] in "78":
        return _uuid(namespace[:6].hex() + digits[12:], 8)
    return _uuid(digits, 5)


def _uuid(digits: str, version: int) -> str:
    """Return the UUID of these hexadecimal digits, as far as a UUID has room for them (RFC 9562, section 4)."""
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-{version}{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
