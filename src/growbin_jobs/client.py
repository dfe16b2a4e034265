"""The producer's API: hand in a picture, ask how far it is, wait for its end.

Light by design: it loads neither Pillow nor the model libraries, and boto3 or psycopg2 only where a URL asks for them.
"""

import asyncio
import errno
import os
import threading
import uuid
from contextlib import suppress
from typing import IO, Any, Final, Literal, get_args

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.adapters.objects import ObjectStore
from growbin_jobs.app import settings
from growbin_jobs.engine.central.first_messages import tell_sent
from growbin_jobs.engine.delivery.reruns import TIER
from growbin_jobs.engine.processes import once_a_process
from growbin_jobs.errors import Deferred, Forbidden, GrowbinError, NotFound, Permanent, PictureRefused
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.models.batch_waiting import BatchWaiting, InBatch
from growbin_jobs.operations.analysis_endings import AnalysisEndings
from growbin_jobs.operations.turn import Turn, turn_of
from growbin_jobs.picture_keys import spool_key
from growbin_jobs.reasons import Language
from growbin_jobs.storage import upload_image
from growbin_jobs.storage.uploads import checked_id
from growbin_jobs.wiring import central_database, object_store

Image = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]

#: What opening a path says when there is no file that could be read, whoever tries.
_NO_FILE: Final = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.EINVAL}
)


def submit_analysis(
    user_id: str,
    image: Image,
    *,
    analysis_id: str | None = None,
    language: Language | None = None,
    tier: Literal["batch"] | None = None,
) -> str:
    """Hand in a picture and return at once.

    The picture is put where every worker can read it, the analysis gets its row, the message is sent; when this
    returns all three are durable. When it raises, nothing was accepted for certain: call it again with the same
    ``analysis_id`` and it is still one analysis.

    Parameters:
      user_id: Whose picture it is: letters, digits, ``-`` and ``_``, at most 64.
      image: The picture: its bytes, a path, or a file opened for binary reading.
      analysis_id: Your own id for it (same alphabet), to make repeated calls one analysis. Default: a new one.
      language: Of the advice, and of the sentence if it fails: ``ko`` or ``en``. Default: the workers'.
      tier: ``batch`` for what has a day's time: its models are asked in batches, at the batch tier's price, and in the
        standard tier where the server has none. Default: at once.

    Returns:
      The analysis id.

    Raises:
      Permanent: When an id, the language or the tier is not valid.
      Forbidden: When the analysis id belongs to another user.
      PictureRefused: When the file is missing or too large. Everything else about the picture is checked by the worker.
      TypeError: When ``image`` is none of these, such as a file opened as text or one that has to be awaited.
      Deferred: When the database or the object store is away.
      dramatiq.errors.BrokerConnectionError: When the message could be neither sent nor kept to be sent later.
    """
    checked_id("user_id", user_id)
    analysis_id = checked_id("analysis_id", analysis_id if analysis_id is not None else uuid.uuid4().hex)
    if language not in (None, *get_args(Language)):
        raise Permanent("request_invalid", detail=f"language must be one of {', '.join(get_args(Language))}")
    if tier not in (None, "batch"):
        raise Permanent("request_invalid", detail="tier must be batch, or left out")
    data = _read(image, settings.upload_max_bytes)
    analyses().accept(analysis_id, user_id, language)
    address = _store().put(spool_key(analysis_id), data, content_type="application/octet-stream")
    options: dict[str, Any] = {} if tier is None else {TIER: tier}
    message = upload_image.send_with_options(args=(user_id, address, analysis_id), **options)
    if settings.broker_url is not None:  # the embedded broker's messages are told of by keepers
        with suppress(GrowbinError):  # it is sent, whether the monitor sees it already or not
            tell_sent(analyses().database, message, node=settings.node)
    return analysis_id


def find_analysis(analysis_id: str, *, user_id: str | None = None) -> Analysis | None:
    """Return how far an analysis has come, or None when there is no such analysis.

    Parameters:
      analysis_id: As ``submit_analysis`` returned it.
      user_id: Who asks; None: anybody.

    Raises:
      Permanent: The id is not valid.
      Forbidden: It is the analysis of another user than ``user_id``.
      Deferred: The database is away.
    """
    return _seen_by(user_id, analyses().get(analysis_id))


def wait(analysis_id: str, *, timeout: float = 60.0, user_id: str | None = None) -> Analysis:
    """Wait until an analysis has come to its end: completed, or failed.

    PostgreSQL tells of each end, so this returns within milliseconds of it; SQLite is asked, at first twenty times a
    second, later twice. All waits of a process share one thread and one connection. While the database is
    away it goes on waiting.

    Parameters:
      analysis_id: As ``submit_analysis`` returned it.
      timeout: Seconds to wait at most; 0 looks once.
      user_id: Who asks; None: anybody.

    Returns:
      The analysis; ``status`` says which end it is.

    Raises:
      TimeoutError: It is still on its way. Call this again, as often as you like.
      NotFound: There is no such analysis, not even at the end of the time.
      Permanent, Forbidden: See :func:`find_analysis`.
      Deferred: The database is away at the end of the time, too.
    """
    found = None
    with _endings().waiting_for(checked_id("analysis_id", analysis_id)) as ended:
        with suppress(Deferred):
            found = find_analysis(analysis_id, user_id=user_id)
        if found is None or not found.status.is_final:
            try:
                found = _seen_by(user_id, ended.result(timeout=min(max(0.0, timeout), threading.TIMEOUT_MAX)))
            except TimeoutError:
                found = found or find_analysis(analysis_id, user_id=user_id)
    return _at_its_end(analysis_id, found, timeout)


async def wait_async(analysis_id: str, *, timeout: float = 60.0, user_id: str | None = None) -> Analysis:
    """Wait like :func:`wait` in a program that uses asyncio: the event loop goes on meanwhile.

    Parameters, returns and errors are those of :func:`wait`. Cancelling it ends the waiting and nothing else.
    """
    found = None
    with _endings().waiting_for(checked_id("analysis_id", analysis_id)) as ended:
        with suppress(Deferred):
            found = await asyncio.to_thread(find_analysis, analysis_id, user_id=user_id)
        if found is None or not found.status.is_final:
            try:
                end = await asyncio.wait_for(asyncio.wrap_future(ended), max(0.0, timeout))
                found = _seen_by(user_id, end)
            except TimeoutError:
                found = found or await asyncio.to_thread(find_analysis, analysis_id, user_id=user_id)
    return _at_its_end(analysis_id, found, timeout)


def find_turn(analysis: Analysis) -> Turn | None:
    """Return what an analysis waits for: a limit of paid calls, its place there, and about when it starts.

    Returns:
      None where it waits for no limit: it is done, another stage has it, it waits for a batch, or nothing limits the
      models.

    Raises:
      Deferred: The database is away.
    """
    if any(one.back_at is None for one in find_batches(analysis)):
        return None
    return turn_of(analysis, analyses().database)


def find_batches(analysis: Analysis) -> list[InBatch]:
    """Return how the questions of an analysis were put into batches, the first ones first.

    Returns:
      Nothing where nobody asked for the tier ``batch``. ``analysis.tier`` and ``analysis.tier_reason`` say the same in
      short.

    Raises:
      Deferred: The database is away.
    """
    if analysis.tier is None:
        return []
    return BatchWaiting(analyses().database).of_analysis(analysis.id)


def http_status(error: BaseException) -> int:
    """Return the HTTP status that tells a client of yours what one of these functions has raised.

    Returns:
      400: the request or the photo is wrong. 403: it is somebody else's. 404: there is no such analysis. 413: the photo
      has too many bytes. 503: a service is away, try again with the same ``analysis_id``. 504: it takes longer than
      your client can wait. 500: anything else, which is a fault.
    """
    if isinstance(error, PictureRefused) and error.code == "picture_too_many_bytes":
        return 413
    return next((status for kinds, status in _HTTP_STATUS if isinstance(error, kinds)), 500)


#: The first row that fits decides.
_HTTP_STATUS: Final = (
    (Forbidden, 403),
    (NotFound, 404),
    (Permanent, 400),
    (Deferred, 503),
    (BrokerConnectionError, 503),
    (TimeoutError, 504),
)


def _seen_by(user_id: str | None, analysis: Analysis | None) -> Analysis | None:
    if user_id is not None and analysis is not None and analysis.user_id not in (None, user_id):
        raise Forbidden("this analysis belongs to another user")
    return analysis


def _at_its_end(analysis_id: str, found: Analysis | None, timeout: float) -> Analysis:
    if found is None:
        raise NotFound(f"There is no analysis {analysis_id!r}.")
    if not found.status.is_final:
        raise TimeoutError(f"Analysis {analysis_id!r} has not come to its end within {timeout:g} s; wait again.")
    return found


def _read(image: Image, limit: int) -> bytes:
    if isinstance(image, (bytes, bytearray, memoryview)):
        data = bytes(image)
    elif isinstance(image, (str, os.PathLike)):
        try:
            with open(image, "rb", opener=_without_waiting) as file:
                data = _contents(file, limit)
        except ValueError:  # a NUL in the path
            raise PictureRefused("picture_missing") from None
        except OSError as error:
            if error.errno in _NO_FILE:
                raise PictureRefused("picture_missing") from None
            raise
    else:
        data = _contents(image, limit)
    if len(data) > limit:
        raise PictureRefused("picture_too_many_bytes", limit_megabytes=round(limit / 1e6, 1))
    return data


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a FIFO without a writer, on which opening waits for one, counts as an empty file."""
    descriptor = os.open(path, flags | os.O_NONBLOCK)
    os.set_blocking(descriptor, True)
    return descriptor


def _contents(file: IO[bytes], limit: int) -> bytes:
    """Read a file to its end, or one byte more than allowed; what comes over a network is read in pieces."""
    data, piece = bytearray(), None
    if hasattr(file, "read"):
        while len(data) <= limit and (piece := file.read(limit + 1 - len(data))) and isinstance(piece, bytes):
            data += piece
    if not isinstance(piece, bytes):
        raise TypeError("image must be bytes, a path, or a file opened for binary reading")
    return bytes(data)


@once_a_process
def analyses() -> Analyses:
    """Return this process's view of the central database."""
    return Analyses(central_database(settings))


@once_a_process
def _endings() -> AnalysisEndings:
    return AnalysisEndings(analyses())


@once_a_process
def _store() -> ObjectStore:
    return object_store(settings)
