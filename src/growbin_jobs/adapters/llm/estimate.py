"""How many tokens a request will take, before it is sent: from pixels and characters, not from the size of its body.

The base64 of a picture has nothing to do with its price (a 130 kB JPEG would count as 50,000 tokens and takes 1,000).
The estimate is corrected by what the server then counts.
"""

import base64
import binascii
import math
import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

#: Side of a patch in pixels, the most patches of a picture, and tokens a patch of the newer models
#: (https://developers.openai.com/api/docs/guides/images-vision).
PATCH, MOST_PATCHES, TOKENS_A_PATCH = 32, 1536, 1.2

#: Characters of a token: between English (4) and Korean (about 2.5) text.
CHARACTERS_A_TOKEN: Final = 3.5

#: Characters of base64 in which a picture of ours has its frame header (a multiple of 4), and the markers of those
#: (ITU-T T.81, B.1).
_HEADER: Final = 16_384
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}

#: Weight of the newest request in the moving ratio of counted to estimated, and bounds of the ratio.
_WEIGHT: Final = 0.1
_LEAST, _MOST = 0.25, 4.0


def picture_tokens(width: int, height: int) -> int:
    """Return the tokens of a picture, from its size in pixels."""
    patches = math.ceil(width / PATCH) * math.ceil(height / PATCH)
    return math.ceil(min(patches, MOST_PATCHES) * TOKENS_A_PATCH)


def text_tokens(text: str) -> int:
    """Return the tokens of a text."""
    return math.ceil(len(text) / CHARACTERS_A_TOKEN)


def input_tokens(messages: Iterable[Mapping[str, Any]]) -> int:
    """Return the tokens of messages in the form of the API; a picture of unknown size counts as the largest."""
    return sum(_part_tokens(part) for message in messages for part in _parts(message.get("content")))


class TokenRatio:
    """Corrects estimates by the moving ratio of counted to estimated tokens. Threads share one, for one purpose."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ratio = 1.0

    def corrected(self, estimate: float) -> int:
        """Return an estimate as the past has shown it to be."""
        return math.ceil(estimate * self._ratio)

    def learn(self, estimate: float, counted: int) -> None:
        """Note what the server counted for an estimate that was not corrected.

        An odd count moves the ratio a little, and never out of its bounds.
        """
        if estimate <= 0 or counted <= 0:
            return
        seen = min(max(counted / estimate, _LEAST), _MOST)
        with self._lock:
            self._ratio += _WEIGHT * (seen - self._ratio)


def _parts(content: object) -> list[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []


def _part_tokens(part: Mapping[str, Any]) -> int:
    if part.get("type") != "image_url":
        return text_tokens(str(part.get("text", "")))
    size = _jpeg_size(str(part.get("image_url", {}).get("url", "")))
    return picture_tokens(*size) if size else math.ceil(MOST_PATCHES * TOKENS_A_PATCH)


def _jpeg_size(url: str) -> tuple[int, int] | None:
    """Return width and height from the frame header (SOF) of a JPEG in a ``data:`` URL; None where there is none."""
    head, _, body = url.partition(";base64,")
    if not head.startswith("data:image/jpeg"):
        return None
    try:
        data = base64.b64decode(body[:_HEADER])
    except binascii.Error:
        return None
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        at += 2 + length
    return None
