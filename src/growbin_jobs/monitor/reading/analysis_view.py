"""One analysis as pages and ``/api/v2`` show it: what is a person's only to those who may see it, and written down."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from growbin_jobs import names
from growbin_jobs.engine.groups import Route
from growbin_jobs.errors import NotFound
from growbin_jobs.models.analysis import Analysis
from growbin_jobs.models.analysis_lists import is_id
from growbin_jobs.models.batch_waiting import BatchWaiting, InBatch
from growbin_jobs.monitor.reading.seen import record_look
from growbin_jobs.monitor.reading.task_query import may_see_people
from growbin_jobs.operations.analysis_timeline import Timeline, timeline
from growbin_jobs.operations.waiting import Waiting, why_analysis_waits


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisView:
    """An analysis.

    Attributes:
      waiting: The batch or the limit of paid calls that it waits for; None: none.
      batches: How its questions are or were asked in batches of paid calls, the first ones first.
      hidden: The asker may not see whose it is, the photo and the answer.
    """

    timeline: Timeline
    waiting: Waiting | None
    batches: list[InBatch]
    hidden: bool


def analysis_view(request: Request, analysis_id: str) -> AnalysisView:
    """Return one analysis; that somebody saw a person's data is written down first.

    Raises:
      NotFound: There is none of this id.
      Deferred: The database is away; then nothing is shown.
    """
    services: Any = request.app.state.services
    found = None
    if is_id(analysis_id):
        found = timeline(analysis_id, services.database, actors=_actors(), now=datetime.now(UTC))
    if found is None:
        raise NotFound("There is no analysis of this id in the central database.")
    waiting, people = why_analysis_waits(found.analysis, services.database), may_see_people(request)
    if people:
        record_look(request, "analysis.seen", target=found.analysis.id, whose=found.analysis.user_id or "")
    else:
        found = replace(found, analysis=_without_person(found.analysis))
    batches = BatchWaiting(services.database).of_analysis(found.analysis.id)
    return AnalysisView(timeline=found, waiting=waiting, batches=batches, hidden=not people)


def _without_person(analysis: Analysis) -> Analysis:
    return replace(analysis, user_id=None, s3_path=None, thumbnail_path=None, response=None)


def _actors() -> list[str]:
    return [route.actor for route in vars(names).values() if isinstance(route, Route)]
