"""``/api/v2``: JSON for scripts, described by OpenAPI."""

from fastapi import APIRouter

from growbin_jobs.monitor.api.v2 import (
    analyses,
    audit,
    dead_letters,
    description,
    me,
    money,
    platform,
    schedule,
    state,
    tasks,
)

#: What the app includes below ``/api/v2``.
routers: list[APIRouter] = [
    description.router, me.router, tasks.router, state.router, money.router, schedule.router, analyses.router,
    platform.router, audit.router, dead_letters.router,
]  # fmt: skip
