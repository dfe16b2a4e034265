"""How many tokens a request will take, before it is sent: from pixels and characters, not from the size of its body.

The base64 of a picture has nothing to do with its price (a 130 kB JPEG would count as 50,000 tokens and takes 1,000).
The estimate is corrected by what the server then counts.
"""

import math
import threading
from typing import Final

#: Side of a patch in pixels, the most patches of a picture, and tokens a patch of the newer models
#: (https://developers.openai.com/api/docs/guides/images-vision).
PATCH, MOST_PATCHES, TOKENS_A_PATCH = 32, 1536, 1.2

#: Characters of a token: between English (4) and Korean (about 2.5) text.
CHARACTERS_A_TOKEN: Final = 3.5

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
