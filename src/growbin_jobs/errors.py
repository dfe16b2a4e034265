"""The errors of Growbin: the engine's tree, and what is refused of a user's picture.

Importing it registers Growbin's reasons (:mod:`growbin_jobs.reasons`), whose codes :class:`Permanent` takes.
"""

from typing import Final

from growbin_jobs import reasons as reasons  # registers them
from growbin_jobs.engine.errors import (
    Away,
    ConfigurationError,
    Conflict,
    Deferred,
    GrowbinError,
    NotFound,
    Permanent,
    Transient,
)

__all__ = [
    "Away",
    "ConfigurationError",
    "Conflict",
    "Deferred",
    "Forbidden",
    "GrowbinError",
    "NotFound",
    "Permanent",
    "PictureRefused",
    "Transient",
]


#: Refusals that say nothing of a photo: who sent the message named a wrong place.
_WRONG_PLACE: Final = frozenset({"picture_missing", "picture_outside_spool"})


class PictureRefused(Permanent):
    """The picture is not one that we accept; the sentence says why."""

    @property
    def is_of_the_photo(self) -> bool:
        """Whether it is a user's photo that is wrong. Nothing is to be mended then, so that is how stage 1 ends."""
        return self.code not in _WRONG_PLACE


class Forbidden(Permanent):
    """What a request names belongs to another user.

    Parameters:
      detail: What it names, for people; never whose it is.
    """

    def __init__(self, detail: str) -> None:
        super().__init__("request_invalid", detail=detail)
