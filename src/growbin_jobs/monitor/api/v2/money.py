"""``/api/v2``: limits of paid calls, breakers, budgets, and what was spent."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.limits.budget_report import BudgetDay
from growbin_jobs.limits.spent import GroupBy, Spent
from growbin_jobs.monitor.api.problems import problem
from growbin_jobs.monitor.api.strict_answer import StrictAnswer
from growbin_jobs.monitor.pages.rendering import words_for
from growbin_jobs.monitor.reading import money
from growbin_jobs.monitor.reading.money import BreakerAnswer
from growbin_jobs.monitor.reading.task_query import may_see_people
from growbin_jobs.monitor.security.permissions import Action, require
from growbin_jobs.operations.limit_states import LimitState

router = APIRouter(tags=["limits and money"], dependencies=[require(Action.SEE_MONEY)])


@router.get("/limits", response_model=list[LimitState])
def limits(request: Request) -> Response:
    """Return the limits of paid calls: what is used of them, what waits for them."""
    return StrictAnswer(money.limits_of(request.app.state.services))


@router.get("/breakers", response_model=list[BreakerAnswer])
def breakers(request: Request) -> Response:
    """Return the breakers, those that let nobody send first, each with what to do."""
    return StrictAnswer(money.breakers_of(request.app.state.services, words_for(request).language))


@router.get("/budgets", response_model=list[BudgetDay])
def budgets(request: Request) -> Response:
    """Return today's budgets, in micro-dollars."""
    found = money.budgets_of(request.app.state.services)
    if not may_see_people(request):
        found = [each for each in found if not each.name.startswith("user:")]
    return StrictAnswer(found)


@router.get("/usage", response_model=list[Spent])
def usage(
    request: Request,
    by: Annotated[GroupBy, Query(description="By user only with the right to see personal data.")] = "day",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
    most: Annotated[int, Query(ge=1, le=10_000, description="Users that are named; all others are one row.")] = 1000,
) -> Response:
    """Return what requests to model servers cost, in micro-dollars.

    Of users those are named that cost most; the row without a key is all the rest, nobody's requests included.
    """
    if by == "user" and not may_see_people(request):
        return problem(403, "You may not see personal data: ask by day, model, purpose or tier.")
    return StrictAnswer(money.spent_of(request.app.state.services, by, days, most=most))
