"""A user whose budget or limit is spent uses nothing of what all users share."""

from decimal import Decimal

import pytest

from growbin_jobs import settings as _settings
from growbin_jobs.adapters.llm.attribution import Attribution
from growbin_jobs.adapters.llm.guards import PlannedRequest, admitted
from growbin_jobs.engine.central.database import Database
from growbin_jobs.errors import Deferred
from growbin_jobs.limits import afterwards
from growbin_jobs.limits.budget_caps import Cap, Caps
from growbin_jobs.limits.paid_calls import guards
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.rates import Rate


def planned(user: str) -> PlannedRequest:
    return PlannedRequest("gpt-6-luna", "vision", 1000, 1000, attribution=Attribution(user_id=user))


@pytest.mark.parametrize("by", ["budget", "limit"])
def test_refused_requests_of_one_user_move_nobody_s_clock(database: Database, by: str) -> None:
    """litellm#39309: refused requests used up the limit of all."""
    mine = {"user:poor": Rate(1, 3600.0)} if by == "limit" else {}
    settings = _settings.load(
        limits={"vision": Rate(100, 60.0), **mine}, budget_per_day=Decimal(10), limit_patience=1.0
    )
    chain = guards(settings, database, look_up=lambda _: None)
    if by == "budget":
        Caps(database).set(Cap("user:poor", 0))
    else:
        with admitted(chain, planned("poor")):
            pass  # what was not sent is given back, so it is taken and held
        SqlLimits(database).hold("user:poor", 3600)

    before = {limit.name: limit.tat for limit in SqlLimits(database).limits()}
    for _ in range(100):
        with pytest.raises(Deferred), admitted(chain, planned("poor")):
            pass
    assert afterwards.wait(60)
    after = {limit.name: limit.tat for limit in SqlLimits(database).limits()}

    assert after == before
    with admitted(chain, planned("rich")) as ending:
        ending.begin()
