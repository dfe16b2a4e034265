"""``/api/v2/proof``: that of a span of time nothing was lost and nothing done twice, computed now, signed."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from growbin_jobs.monitor.reading.proof import proven, signed_document
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.proofs.parts import Proof

router = APIRouter(tags=["proof"], dependencies=[require(Action.PROVE)])


class SignedProof(BaseModel):
    """A proof and its signature; ``growbin-jobs prove verify FILE`` checks it."""

    statement: Proof
    signature: dict[str, Any]


@router.get("/proof", response_model=SignedProof)
def proof(
    request: Request,
    since: Annotated[str, Query(max_length=40, alias="from", description="ISO 8601; default: a day before.")] = "",
    until: Annotated[str, Query(max_length=40, alias="to", description="ISO 8601; default: now.")] = "",
    download: Annotated[bool, Query(description="As a file with a name.")] = False,
) -> Response:
    """Return the proof of a span of 92 days at most, recomputed now, with the signature of this node."""
    return signed_document(request, proven(request, since, until), download=download)
