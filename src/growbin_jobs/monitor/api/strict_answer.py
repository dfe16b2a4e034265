"""Answers of ``/api/v2``: JSON that every reader takes, from the dataclasses of ``operations/``."""

from typing import Any

from starlette.responses import Response

from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.readable_json import strict


class StrictAnswer(Response):
    """A JSON answer. 64-bit numbers keep their digits; what JSON cannot say is text (:func:`strict`).

    Parameters:
      content: A dataclass, or what it may hold.
      status_code: The HTTP status.
    """

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return strict(as_json(content)).encode()
