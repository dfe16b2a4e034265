"""Errors of ``/api/v2`` as ``application/problem+json`` (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from starlette.responses import JSONResponse


class Problem(BaseModel):
    """What went wrong.

    Attributes:
      type: ``about:blank``, or a name that scripts can rely on, such as ``growbin:read_only``.
      title: The same for all problems of the type.
      status: The HTTP status.
      detail: A sentence for people that says what to do.
    """

    type: str = "about:blank"
    title: str
    status: int
    detail: str


class ProblemResponse(JSONResponse):
    """An answer that is a problem."""

    media_type = "application/problem+json"


def problem(
    status: int, detail: str, *, type_: str = "about:blank", headers: dict[str, str] | None = None, **more: Any
) -> ProblemResponse:
    """Return a problem as an answer.

    Parameters:
      status: The HTTP status.
      detail: A sentence for people.
      type_: See :class:`Problem`.
      headers: More headers of the answer.
      more: More members, ready for JSON.
    """
    body = Problem(type=type_, title=HTTPStatus(status).phrase, status=status, detail=detail).model_dump() | more
    return ProblemResponse(body, status, headers)


#: For the parameter ``responses`` of a router: what OpenAPI says of errors.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": words, "content": {"application/problem+json": {}}}
    for status, words in {
        400: "What was sent is wrong.", 401: "Nobody that we know.", 403: "Not allowed.", 
        404: "There is no such thing.",
        409: "Somebody else was first.", 422: "A parameter is wrong.", 429: "Too many attempts.",
        503: "The database or the broker is away.",
    }.items()
}  # fmt: skip
