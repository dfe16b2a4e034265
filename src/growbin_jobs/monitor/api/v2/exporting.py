"""Lists as files: streamed, with a reason that is written down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Final

from fastapi import Query, Request
from starlette.responses import StreamingResponse

from growbin_jobs.monitor.recording import checked_reason, record
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations import exports

Reason = Annotated[str, Query(max_length=500, description="Why; it is written down.")]
Form = Annotated[exports.Form, Query(alias="format")]

#: Characters that are sent together.
PART: Final = 65_536

#: What each route of an export says of itself.
ROUTE: dict[str, Any] = {
    "dependencies": [require(Action.EXPORT)],
    "responses": {200: {"content": {"text/csv": {}, "application/x-ndjson": {}}}},
    "response_class": StreamingResponse,
}


def exported(
    request: Request, name: str, rows: Iterable[Any], kind: type, form: exports.Form, *, reason: str,
    details: Mapping[str, Any], whose: str = "",
) -> StreamingResponse:  # fmt: skip
    """Return rows as a file, after it was written down who takes them and why.

    Parameters:
      name: Of the things, such as ``dead-letters``.
      rows: Dataclasses; read while they are sent.
      kind: Their class.
      details: What was asked for; no personal data.
      whose: The user whose they all are; empty: several.

    Raises:
      BadInput: No reason is given.
    """
    why = checked_reason(request, reason)
    record(request, f"{name.replace('-', '_')}.exported", whose=whose, reason=why, details={**details, "format": form})
    media_type = "text/csv; charset=utf-8" if form == "csv" else "application/x-ndjson"
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    return StreamingResponse(encoded(exports.encoded(rows, kind, form)), media_type=media_type, headers=headers)


def encoded(pieces: Iterable[str]) -> Iterator[bytes]:
    """Yield text as bytes, some kilobytes at once; what UTF-8 cannot say is a question mark.

    Each part goes through a thread and the event loop, which costs more than a line of a file does.
    """
    kept: list[str] = []
    size = PART  # the first piece goes at once: who waits sees that it begins
    for piece in pieces:
        kept.append(piece)
        size += len(piece)
        if size >= PART:
            yield "".join(kept).encode("utf-8", "replace")
            kept, size = [], 0
    if kept:
        yield "".join(kept).encode("utf-8", "replace")
