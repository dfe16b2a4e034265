"""Photos through the server: the object store stays closed, and it is written down who saw whose."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from growbin_jobs.errors import NotFound, Permanent
from growbin_jobs.models.analysis import Analyses
from growbin_jobs.models.analysis_lists import is_id
from growbin_jobs.monitor.reading.seen import record_look
from growbin_jobs.monitor.recording import checked_reason, record
from growbin_jobs.picture_keys import owner_of_stored

#: Never what a browser could run.
_HEADERS: Final = {
    "cache-control": "private, no-store",
    "content-disposition": "inline",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; sandbox",
}

#: What a JPEG begins with; everything that is stored was written as one.
_JPEG: Final = b"\xff\xd8\xff"


def photo_of(request: Request, analysis_id: str, size: str, reason: str | None = None) -> Response:
    """Return a photo as an answer. The thumbnail is looked at; the original is taken away, which needs a reason.

    Parameters:
      size: ``original`` or ``thumbnail``.
      reason: Why, in the asker's words.

    Raises:
      BadInput: The original is wanted, and no reason is given.
      NotFound: There is no such analysis, or its photo is gone.
      Deferred: The database or the object store is away.
    """
    services: Any = request.app.state.services
    analysis = Analyses(services.database).get(analysis_id) if is_id(analysis_id) else None
    address = analysis and (analysis.s3_path if size == "original" else analysis.thumbnail_path)
    owner = owner_of_stored(address)
    if analysis is None or not address or owner is None or owner != (analysis.user_id, analysis.id):
        raise NotFound("There is no photo of this analysis.")  # nor is another person's shown as this one's
    if size == "original":
        why = checked_reason(request, reason)
        record(request, "photo.opened", target=analysis.id, whose=owner.user_id, reason=why)
    else:
        record_look(request, "photo.seen", target=analysis.id, whose=owner.user_id)
    try:
        data = services.objects.get(address)
    except Permanent:
        raise NotFound("The photo is not in the object store any more.") from None
    if not data.startswith(_JPEG):
        raise NotFound("What is stored is no photo.")
    return Response(data, media_type="image/jpeg", headers=dict(_HEADERS))
