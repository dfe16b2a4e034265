"""Checks of what is held back on purpose, for ``growbin-jobs doctor``: queues, webhooks, and breakers that are open."""

import shlex
from collections.abc import Iterator

from growbin_jobs.errors import GrowbinError
from growbin_jobs.operations.finding import Finding
from growbin_jobs.settings import Settings


def check_holding(settings: Settings) -> Iterator[Finding]:
    """Name queues, actors and webhooks that somebody has paused, and breakers that let nothing through."""
    from growbin_jobs.alerts.webhooks import Webhooks
    from growbin_jobs.engine.control.instructions import Target
    from growbin_jobs.engine.control.table import Control
    from growbin_jobs.limits.breakers import Breakers
    from growbin_jobs.operations.breakers import list_breakers
    from growbin_jobs.operations.control import pause_of
    from growbin_jobs.wiring import central_database

    try:
        database = central_database(settings)
        given = Control(database).read().all
        breakers = list_breakers(Breakers(database), language="en")
        hooks = Webhooks(database).all()
    except GrowbinError:  # said before: the database is away or lacks its tables
        return
    for each in given:
        if each.target in (Target.QUEUE, Target.ACTOR):
            pause, kind = pause_of(each), each.target.value
            option = "--actor " if each.target is Target.ACTOR else ""
            words = f"The {kind} {pause.name} is paused by {pause.by}: {pause.reason}."
            yield Finding("pauses", "warning", f"{words} End it: growbin-jobs queues resume {option}{pause.name}")
    for hook in hooks:
        if hook.paused_by is not None:
            words = f"The webhook {hook.name} is told nothing: paused by {hook.paused_by}."
            remedy = f"End it: growbin-jobs webhooks resume {shlex.quote(hook.name)}"
            yield Finding("webhooks", "warning", f"{words} {remedy}")
    for breaker in breakers:
        if breaker.state != "closed":
            why = f"Nothing is sent to {breaker.name}: {breaker.reason} (growbin-jobs breakers list)."
            detail = f"{why} {breaker.remedy}"
            yield Finding("breakers", "failed" if breaker.state == "operator" else "warning", detail)
