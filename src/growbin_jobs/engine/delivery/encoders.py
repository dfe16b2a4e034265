"""Refuses an encoder with which messages would not be JSON.

Journal, dead letters and monitor keep messages as text and look into them; an encoder of other bytes would break them
silently. And whoever unpickles a message runs what its sender likes.
"""

from __future__ import annotations

import json

from dramatiq import Encoder, JSONEncoder, get_encoder

from growbin_jobs.engine.errors import ConfigurationError

_PROBE = {
    "queue_name": "q", "actor_name": "a", "args": ["text", 1], "kwargs": {}, "options": {}, "message_id": "1",
    "message_timestamp": 1,
}  # fmt: skip

#: The encoder that was judged last, and whether it writes JSON.
_judged: tuple[Encoder | None, bool] = (None, True)


def check_encoder() -> None:
    """Refuse the encoder that Dramatiq is set to use, if it writes anything but JSON.

    Raises:
      ConfigurationError: With what to do instead.
    """
    if not writes_json():
        kind = type(get_encoder())
        raise ConfigurationError(
            f"Messages are JSON here, and {kind.__module__}.{kind.__qualname__} writes something else. Give "
            "dramatiq.set_encoder() one that writes JSON, which may know more types than dramatiq.JSONEncoder."
        )


def writes_json() -> bool:
    """Return whether the encoder that Dramatiq is set to use writes JSON."""
    global _judged
    encoder = get_encoder()
    if type(encoder) is JSONEncoder:
        return True
    judged, writes = _judged
    if judged is not encoder:
        _judged = encoder, (writes := _writes_json(encoder))
    return writes


def _writes_json(encoder: Encoder) -> bool:
    try:
        body = encoder.encode(dict(_PROBE))
        return isinstance(body, bytes) and isinstance(json.loads(body.decode()), dict)
    except Exception:  # whatever somebody's encoder raises
        return False
