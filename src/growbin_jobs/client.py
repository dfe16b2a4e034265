"""The producer's API: hand in a picture, ask how far it is.

Light by design: it loads neither Pillow nor the model libraries, and boto3 or psycopg2 only where a URL asks for them.
"""

import os
import uuid
from pathlib import Path
from typing import IO

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.app import settings
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import PictureRefused
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.operations.turn import Turn, turn_of
from growbin_jobs.picture_keys import spool_key
from growbin_jobs.storage import upload_image
from growbin_jobs.storage.uploads import checked_id
from growbin_jobs.wiring import central_database, object_store

Image = bytes | str | os.PathLike[str] | IO[bytes]


def submit_analysis(user_id: str, image: Image, *, analysis_id: str | None = None) -> str:
    """Hand in a picture and return at once.

    The picture is put where every worker can read it, the analysis gets its row, the message is sent; when this
    returns all three are durable. When it raises, nothing was accepted for certain: call it again with the same
    ``analysis_id`` and it is still one analysis.

    Parameters:
      user_id: Whose picture it is: letters, digits, ``-`` and ``_``, at most 64.
      image: The picture: its bytes, a path, or a file opened for binary reading.
      analysis_id: Your own id for it (same alphabet), to make repeated calls one analysis. Default: a new one.

    Returns:
      The analysis id.

    Raises:
      Permanent: When an id is not valid, or the analysis id belongs to another user.
      PictureRefused: When the file is missing or too large. Everything else about the picture is checked by the worker.
      Deferred: When the database or the object store is away.
      dramatiq.errors.BrokerConnectionError: When the message could be neither sent nor kept to be sent later.
    """
    checked_id("user_id", user_id)
    analysis_id = checked_id("analysis_id", analysis_id if analysis_id is not None else uuid.uuid4().hex)
    data = _read(image, settings.upload_max_bytes)
    analyses().accept(analysis_id, user_id)
    address = _store().put(spool_key(analysis_id), data, content_type="application/octet-stream")
    upload_image.send(user_id, address, analysis_id)
    return analysis_id


def find_analysis(analysis_id: str) -> Analysis | None:
    """Return how far an analysis has come, or None when there is no such analysis."""
    return analyses().get(analysis_id)


def find_turn(analysis: Analysis) -> Turn | None:
    """Return what an analysis waits for: a limit of paid calls, its place there, and about when it starts.

    Returns:
      None where it waits for no limit: it is done, another stage has it, or nothing limits the models.

    Raises:
      Deferred: The database is away.
    """
    return turn_of(analysis, analyses().database)


def _read(image: Image, limit: int) -> bytes:
    if isinstance(image, bytes):
        data = image
    elif isinstance(image, (str, os.PathLike)):
        try:
            with Path(image).open("rb") as file:
                data = file.read(limit + 1)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise PictureRefused("picture_missing") from None
    else:
        data = image.read(limit + 1)
    if len(data) > limit:
        raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(limit / 1e6, 1))
    return data


@once_a_process
def analyses() -> Analyses:
    """Return this process's view of the central database."""
    return Analyses(central_database(settings))


@once_a_process
def _store() -> ObjectStore:
    return object_store(settings)
