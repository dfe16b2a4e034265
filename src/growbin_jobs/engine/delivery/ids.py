"""Ids of messages: UUIDs as text, made without the objects of :mod:`uuid`, since each message of a chain comes here."""

import os
from hashlib import sha1
from uuid import NAMESPACE_URL, uuid5

#: Namespace of the ids whose parent's id is no UUID.
NAMESPACE = uuid5(NAMESPACE_URL, "growbin-jobs:follow-ups")


def random_id() -> str:
    """Return a random id, as ``str(uuid4())`` does."""
    return _uuid(os.urandom(16).hex(), 4)


def is_random(message_id: str) -> bool:
    """Is it a version 4 UUID, as Dramatiq makes them for messages whose sender does not care?"""
    return len(message_id) == 36 and message_id[14] == "4"


def follow_up_id(parent_id: str, actor_name: str, ordinal: int) -> str:
    """Return the id of a follow-up: ``uuid5(parent id, actor and ordinal)``.

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
    return _uuid(sha1(namespace + f"{actor_name}:{ordinal}".encode(), usedforsecurity=False).hexdigest(), 5)


def _uuid(digits: str, version: int) -> str:
    """Return the UUID of these hexadecimal digits, as far as a UUID has room for them (RFC 9562, section 4)."""
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-{version}{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
