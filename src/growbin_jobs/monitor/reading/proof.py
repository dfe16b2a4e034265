"""The proof of a span for one request, computed now, and its signed document."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from fastapi import Request
from starlette.responses import Response

from growbin_jobs.monitor.security.refusals import BadInput
from growbin_jobs.monitor.words import language_of, words_in
from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.proofs.parts import Proof
from growbin_jobs.operations.proofs.signature import signed
from growbin_jobs.operations.readable_json import strict
from growbin_jobs.proving import proof_of, proof_of_engine

#: The span of a request that names no beginning: of the interface, and of the page, which must be there at once.
DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)

#: Longest span of a request, in days: whoever wants more has the command.
LONGEST: Final = 92


def proven(request: Request, since: str, until: str, *, otherwise: timedelta = DAY) -> Proof:
    """Return the proof of a span.

    Parameters:
      since, until: ISO 8601; a time without a zone is of the settings' zone. Empty: so much
        before the end as ``otherwise`` says; now.

    Raises:
      BadInput: A time is none, or the span is empty or too long.
      Deferred: The database is away.
    """
    services: Any = request.app.state.services
    now = datetime.now(UTC)
    end = min(_moment(request, until) or now, now)
    begin = _moment(request, since) or end - otherwise
    if not timedelta(0) < end - begin <= timedelta(days=LONGEST):
        raise BadInput(_words(request)("proof.span", days=LONGEST))
    if not services.growbin:
        return proof_of_engine(services.engine, services.database, begin, end)
    return proof_of(services.settings, services.database, lambda queues: services.broker.depths(queues), begin, end)


def signed_document(request: Request, proof: Proof, *, download: bool) -> Response:
    """Return a proof with the signature of this node, as JSON.

    Parameters:
      download: As a file with a name.
    """
    document = strict(signed(as_json(proof), request.app.state.services.engine.node_dir))
    name = f"proof-{proof.since:%Y%m%dT%H%M%SZ}-{proof.until:%Y%m%dT%H%M%SZ}.json"
    headers = {"content-disposition": f'attachment; filename="{name}"'} if download else {}
    return Response(document, media_type="application/json", headers={"cache-control": "no-store"} | headers)


def _moment(request: Request, text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        zone = ZoneInfo(request.app.state.services.engine.timezone)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(_words(request)("overview.no_time")) from None


def _words(request: Request) -> Any:
    return words_in(language_of(request, request.app.state.config.language))
