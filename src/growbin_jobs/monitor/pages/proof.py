"""The proof: that of a span of time nothing was lost and nothing done twice, recomputed for each request."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.proofs.parts import Proof
from growbin_jobs.operations.proofs.signature import signed
from growbin_jobs.operations.readable_json import strict
from growbin_jobs.proving import proof_of

router = APIRouter(include_in_schema=False, dependencies=[require(Action.PROVE)])

#: Longest span of a page, in days: whoever wants more has the command.
LONGEST: Final = 92


@router.get("/proof")
def page(
    request: Request,
    since: Annotated[str, Query(max_length=40, alias="from")] = "",
    until: Annotated[str, Query(max_length=40, alias="to")] = "",
) -> Response:
    """Show the proof of a span, by default of the last day."""
    proof = _proven(request, since, until)
    zone = ZoneInfo(request.app.state.services.settings.timezone)
    span = {"since": proof.since, "until": proof.until}
    shown = {name: f"{at.astimezone(zone):%Y-%m-%dT%H:%M}" for name, at in span.items()}
    exact = {"from": proof.since.isoformat(), "to": proof.until.isoformat()}
    return render(request, "proof.html", proof=proof, shown_span=shown, exact=exact, zone=zone.key)


@router.get("/proof/signed.json")
def download(
    request: Request,
    since: Annotated[str, Query(max_length=40, alias="from")] = "",
    until: Annotated[str, Query(max_length=40, alias="to")] = "",
) -> Response:
    """Return the proof of a span, computed now, with the signature of this node."""
    proof = _proven(request, since, until)
    document = strict(signed(as_json(proof), request.app.state.services.settings.node_dir))
    name = f"proof-{proof.since:%Y%m%dT%H%M%SZ}-{proof.until:%Y%m%dT%H%M%SZ}.json"
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(document, media_type="application/json", headers=headers)


def _proven(request: Request, since: str, until: str) -> Proof:
    services: Any = request.app.state.services
    now = datetime.now(UTC)
    end = min(_moment(request, until) or now, now)
    begin = _moment(request, since) or end - timedelta(days=1)
    if not timedelta(0) < end - begin <= timedelta(days=LONGEST):
        raise BadInput(words_for(request)("proof.span", days=LONGEST))
    return proof_of(services.settings, services.database, lambda: services.broker.depths(), begin, end)


def _moment(request: Request, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        zone = ZoneInfo(request.app.state.services.settings.timezone)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(words_for(request)("overview.no_time")) from None
