"""The errors of Growbin: the engine's tree, and what is refused of a user's picture.

Importing it registers Growbin's reasons (:mod:`growbin_jobs.reasons`), whose codes :class:`Permanent` takes.
"""

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
    "GrowbinError",
    "NotFound",
    "Permanent",
    "PictureRefused",
    "Transient",
]


class PictureRefused(Permanent):
    """The picture is not one that we accept; the sentence says why."""
