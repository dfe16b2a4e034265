"""Limits and money: what limits allow, which breakers are open, what budgets hold, what was spent."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from growbin_jobs.limits.spent import GroupBy
from growbin_jobs.monitor.pages import charts
from growbin_jobs.monitor.pages.rendering import render, words_for
from growbin_jobs.monitor.reading import money
from growbin_jobs.monitor.reading.task_query import may_see_people
from growbin_jobs.monitor.security.permissions import Action, require

router = APIRouter(include_in_schema=False, dependencies=[require(Action.SEE_MONEY)])

#: Times that can be chosen, in days.
DAYS = (7, 30, 90, 365)

#: Users that are listed, those that cost most.
USERS = 100


@router.get("/money")
def page(
    request: Request,
    by: GroupBy = "day",
    days: Annotated[int, Query(ge=1, le=3660)] = 30,
) -> Response:
    """Show limits, breakers, budgets and sums."""
    services: Any = request.app.state.services
    people = may_see_people(request)
    chosen: GroupBy = "day" if by == "user" and not people else by
    budgets = [each for each in money.budgets_of(services) if people or not each.name.startswith("user:")]
    spent = money.spent_of(services, chosen, days, most=USERS)
    return render(
        request, "money.html", limits=money.limits_of(services), budgets=budgets, spent=spent, by=chosen, days=days,
        breakers=money.breakers_of(services, words_for(request).language), choices=DAYS, people=people,
        most=max((each.micro_dollars for each in spent), default=0), total=sum(each.micro_dollars for each in spent),
        unpriced=sum(each.unpriced for each in spent), users=USERS, sparkline=charts.sparkline,
    )  # fmt: skip
