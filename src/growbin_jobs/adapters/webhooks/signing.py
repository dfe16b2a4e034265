"""Signs webhooks as Standard Webhooks says, and checks such signatures.

The signed text is ``ID.TIMESTAMP.BODY``; the signature is ``v1,`` and the Base64 of its HMAC-SHA256. A receiver keeps
the ids of :data:`REPLAY_WINDOW` and refuses what is older (https://www.standardwebhooks.com, symmetric signatures).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from typing import Final

#: Seconds by which the time of a signature may differ from the receiver's clock.
REPLAY_WINDOW: Final = 300.0

#: Before a secret that is written in Base64.
_ENCODED: Final = "whsec_"

#: Shortest secret, in bytes.
LEAST_SECRET: Final = 16


def key_of(secret: str) -> bytes:
    """Return the key of a secret: its Base64 behind ``whsec_``, or its UTF-8.

    Raises:
      ValueError: It is shorter than :data:`LEAST_SECRET` bytes, or no Base64.
    """
    try:
        text = secret.removeprefix(_ENCODED)
        key = base64.b64decode(text, validate=True) if secret.startswith(_ENCODED) else secret.encode()
    except binascii.Error:
        raise ValueError("The secret behind whsec_ is no Base64.") from None
    if len(key) < LEAST_SECRET:
        raise ValueError(f"A secret has at least {LEAST_SECRET} bytes.")
    return key


def signed_headers(message_id: str, body: bytes, secret: str, *, at: float | None = None) -> dict[str, str]:
    """Return the headers of a webhook.

    Parameters:
      message_id: The same for each try of a message.
      body: Exactly as it is sent.
      secret: Shared with the receiver.
      at: Seconds since 1970; None: now.

    Raises:
      ValueError: The secret is none.
    """
    timestamp = str(int(time.time() if at is None else at))
    return {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": _signature(message_id, timestamp, body, secret),
    }


def is_genuine(headers: Mapping[str, str], body: bytes, secret: str, *, now: float | None = None) -> bool:
    """Return whether a received webhook is signed with a secret, and young enough.

    A receiver that must not act twice on one message also keeps its ``webhook-id``.

    Parameters:
      headers: Of the request.
      body: As received, before anything parses it.
      secret: Shared with the sender.
      now: Seconds since 1970; None: now.

    Raises:
      ValueError: The secret is none.
    """
    given = {name.lower(): value for name, value in headers.items()}
    message_id, timestamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 15):
        return False
    if abs((time.time() if now is None else now) - int(timestamp)) > REPLAY_WINDOW:
        return False
    expected = _signature(message_id, timestamp, body, secret)
    signatures = given.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(each.encode(), expected.encode()) for each in signatures)


def _signature(message_id: str, timestamp: str, body: bytes, secret: str) -> str:
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()
