"""The proof: that of a span of time nothing was lost and nothing done twice, recomputed for each request."""

from __future__ import annotations

from typing import Annotated, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render
from growbin_jobs.monitor.reading.proof import DAY, HOUR, proven, signed_document
from growbin_jobs.monitor.security.permissions import Action, require

#: Spans that end now and can be chosen, by the key of their name.
_SPANS: Final = {"hour": HOUR, "day": DAY, "week": 7 * DAY, "month": 30 * DAY}

router = APIRouter(include_in_schema=False, dependencies=[require(Action.PROVE)])


@router.get("/proof")
def page(
    request: Request,
    since: Annotated[str, Query(max_length=40, alias="from")] = "",
    until: Annotated[str, Query(max_length=40, alias="to")] = "",
) -> Response:
    """Show the proof of a span, by default of the last hour: a day of many tasks takes a while to recompute."""
    proof = proven(request, since, until, otherwise=HOUR)
    zone = ZoneInfo(request.app.state.services.engine.timezone)
    span = {"since": proof.since, "until": proof.until}
    shown = {name: f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" for name, at in span.items()}
    exact = {"from": proof.since.isoformat(), "to": proof.until.isoformat()}
    begins = {name: (proof.made_at - span).isoformat() for name, span in _SPANS.items()}
    return render(request, "proof.html", proof=proof, shown_span=shown, exact=exact, zone=zone.key, begins=begins)


@router.get("/proof/signed.json")
def download(
    request: Request,
    since: Annotated[str, Query(max_length=40, alias="from")] = "",
    until: Annotated[str, Query(max_length=40, alias="to")] = "",
) -> Response:
    """Return the proof of a span, computed now, with the signature of this node."""
    return signed_document(request, proven(request, since, until), download=True)
