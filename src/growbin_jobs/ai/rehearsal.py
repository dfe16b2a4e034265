"""Puts a rehearsal together: past pictures, another vision model, and the meter that tells what it cost.

See :mod:`growbin_jobs.operations.rehearsal`.
"""

import threading
from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

from growbin_jobs.adapters.llm.attribution import Attribution, attributed
from growbin_jobs.adapters.llm.meter import Meter, ModelRequest
from growbin_jobs.ai.bootstrap import model_pictures
from growbin_jobs.ai.model_clients import model_client, usage_ledger
from growbin_jobs.ai.stage_models import online_vision
from growbin_jobs.errors import ConfigurationError, NotFound
from growbin_jobs.limits.prices import load_prices
from growbin_jobs.limits.requests_of_analyses import answered_requests
from growbin_jobs.limits.usage_row import cost_of
from growbin_jobs.messages import VisionAnswer
from growbin_jobs.models.analysis import Analyses, Analysis
from growbin_jobs.models.rehearsals import Rehearsals
from growbin_jobs.operations.json_ready import as_json
from growbin_jobs.operations.rehearsal import Tried, spread, try_all
from growbin_jobs.operations.rehearsal_verdict import Paid, Rehearsal, Standards, judged, paid
from growbin_jobs.settings import Settings
from growbin_jobs.wiring import central_database, object_store

#: What the requests are for, in ``llm_usage`` and to the limits.
PURPOSE = "rehearsal"

#: Analyses that are looked through for each that is wanted, so that rare categories are among them.
_LOOKED_THROUGH = 20


def rehearse_vision(
    settings: Settings, model: str, count: int, standards: Standards, *, tell: Callable[[int, int], None]
) -> Rehearsal:
    """Let a model look at past pictures, keep the verdict, and return what came of it.

    Parameters:
      settings: How to ask.
      model: Whom.
      count: Pictures at most.
      standards: What it has to reach.
      tell: Is told how many pictures are done, and of how many.

    Raises:
      ConfigurationError: No model server is set.
      NotFound: No model server has answered for any picture yet.
      Deferred: The database is away.
    """
    if not settings.models_online:
        raise ConfigurationError("No model server: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server of your own.")
    database = central_database(settings)
    sample = spread(Analyses(database).recent(count * _LOOKED_THROUGH), count)
    if not sample:
        raise NotFound("No model server has answered for any picture yet: there is nothing to compare with.")
    ledger = usage_ledger(settings, database)
    seen = _Seen(ledger)
    vision = online_vision(settings, model_client(settings, seen), model=model, purpose=PURPOSE)
    pictures = model_pictures(settings, object_store(settings))

    def look(analysis: Analysis) -> VisionAnswer:
        picture = pictures.fetch(analysis.s3_path or "")
        # Not for its user: a rehearsal must not spend that budget.
        with attributed(Attribution(analysis.id)):
            return vision.classify(picture)

    try:
        tried = try_all(sample, look, tell=lambda done: tell(done, len(sample)))
    finally:
        ledger.close()
    then = answered_requests(database, [analysis.id for analysis in sample], purpose="vision")
    was = paid([one.cost for one in then], [one.seconds for one in then], len({one.analysis_id for one in then}))
    done = judged(model, tried, was, _paid(settings, seen, tried), standards)
    Rehearsals(database).add(
        model, verdict=done.verdict, pictures=done.total.pictures, agreement=done.total.share, report=as_json(done)
    )
    return done


class _Seen:
    """A meter that remembers the requests that it hands on."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._lock = threading.Lock()
        self.requests: list[ModelRequest] = []

    def record(self, request: ModelRequest) -> None:
        with self._lock:
            self.requests.append(request)
        self._meter.record(request)


def _paid(settings: Settings, seen: _Seen, tried: list[Tried]) -> Paid:
    prices, zone = load_prices(settings.prices_file), ZoneInfo(settings.timezone)
    costs = [
        cost_of(request, prices, datetime.fromtimestamp(request.sent_at, zone).date()) for request in seen.requests
    ]
    latencies = [request.latency for request in seen.requests if request.outcome == "answered"]
    asked = sum(one.problem != "object_missing" for one in tried)
    return paid([cost and cost.micro_dollars for cost in costs], latencies, asked)
