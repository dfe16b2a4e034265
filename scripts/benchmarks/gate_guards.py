"""All that a paid request costs besides itself: breaker, budgets, limits and the count of their use."""

from collections.abc import Callable
from pathlib import Path

#: A model with a price, so that its money is reserved.
_MODEL = "gpt-6-luna"

#: Users of the measurement, each with a budget of its own.
_USERS = 20

#: Dollars of a day: more than any run reserves.
_BUDGET = 1_000_000


def ours_all_guards(address: str, most: int, window: float) -> Callable[[], bool]:
    """The guards of the pipeline, from the question before a request to the end of its accounts.

    Each request is one of a user: it is reserved in the total and in the user's budget, takes two limits, and is
    settled with the tokens that it used. The request itself takes no time.
    """
    from growbin_jobs import settings as _settings
    from growbin_jobs.adapters.llm.attribution import Attribution
    from growbin_jobs.adapters.llm.guards import PlannedRequest, admitted
    from growbin_jobs.adapters.llm.meter import ModelRequest
    from growbin_jobs.adapters.llm.usage import Usage
    from growbin_jobs.engine.central.opening import open_database
    from growbin_jobs.limits.paid_calls import guards
    from growbin_jobs.rates import Rate
    from growbin_jobs.wiring import GATE_CONNECTIONS, GATE_GROWS_AFTER

    settings = _settings.load(
        limits={"vision": Rate(most, window), "project": Rate(10 * most, window)},
        vision_limit=0,
        text_limit=0,
        budget_per_day=_BUDGET,
        budget_per_user_day=_BUDGET,
    )
    url = address if address.startswith("postgresql://") else None
    # What is slow is measured, not refused.
    pool = {"pool_size": GATE_CONNECTIONS, "grows_after": GATE_GROWS_AFTER}
    database = open_database(url, default_path=Path(address), timeout=5, **pool)
    chain = guards(settings, database, look_up=lambda _model: None)
    asked = iter(range(10**9))

    def ask() -> bool:
        to = Attribution(user_id=f"u-{next(asked) % _USERS}", message_id="m")
        request = PlannedRequest(_MODEL, "vision", input_tokens=1500, max_tokens=1000, attribution=to)
        with admitted(chain, request) as ending:
            usage = Usage(prompt=1400, cached=0, completion=200, reasoning=0)
            record = ModelRequest(_MODEL, "vision", outcome="answered", status=200, usage=usage)
            ending.note(record, None)
        return True

    for _ in range(_USERS):  # the first request of a user's day waits for the disk once; it is no part of this
        ask()
    return ask
