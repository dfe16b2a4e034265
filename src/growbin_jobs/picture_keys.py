"""Keys of pictures in the object store: they name the user and the analysis."""

import re
from typing import Final, NamedTuple

from growbin_jobs.names import SPOOL_PREFIX

_STORED: Final = re.compile(r"s3://[^/]+/uploads/([^/]+)/([^/]+)/[^/]+")
_OF_USERS: Final = re.compile(rf"(?:s3://[^/]*/)?(?:uploads|{re.escape(SPOOL_PREFIX.rstrip('/'))})/.*", re.DOTALL)
_SPOOLED: Final = re.compile(rf"s3://[^/]+/{re.escape(SPOOL_PREFIX)}([^/]+)")


class PictureOwner(NamedTuple):
    """Whose stored picture it is."""

    user_id: str
    analysis_id: str


def stored_folder(user_id: str, analysis_id: str) -> str:
    """Return the folder of an analysis's stored pictures."""
    return f"uploads/{user_id}/{analysis_id}"


def model_picture(stored: str, side: int) -> str:
    """Return where the picture for the model lies: beside a stored one.

    Parameters:
      stored: Key or address of a picture of the same analysis.
      side: Largest side that the model is to see, in pixels: stored for another setting, it is not found.
    """
    return f"{stored.rpartition('/')[0]}/model-{side}.jpg"


def kept_picture(address: str, side: int) -> str:
    """Return under which key the node keeps the picture for the model, for stage 2.

    Parameters:
      address: Of the stored picture.
      side: See :func:`model_picture`.
    """
    return f"{side}:{address}"


def spool_key(analysis_id: str) -> str:
    """Return the key of the copy that ``submit_analysis`` makes of a picture."""
    return f"{SPOOL_PREFIX}{analysis_id}"


def owner_of_stored(address: object) -> PictureOwner | None:
    """Return whose stored picture an address names; None when it names none."""
    found = _STORED.fullmatch(address) if isinstance(address, str) else None
    return PictureOwner(found[1], found[2]) if found else None


def is_of_a_user(address: object) -> bool:
    """Return whether an address or a key lies where users' pictures lie: stored ones, or those in the spool."""
    return isinstance(address, str) and _OF_USERS.fullmatch(address) is not None


def analysis_of_spooled(address: object) -> str | None:
    """Return the analysis whose spooled copy an address names, if there is one of that id; None for other places."""
    found = _SPOOLED.fullmatch(address) if isinstance(address, str) else None
    return found[1] if found else None
