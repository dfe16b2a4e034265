"""``/api/v2``: JSON for scripts, described by OpenAPI."""

from fastapi import APIRouter

from growbin_jobs.monitor.api.v2 import (
    analyses,
    audit,
    batches,
    bulk,
    dead_letters,
    description,
    me,
    money,
    platform,
    proof,
    schedule,
    state,
    state_actions,
    task_actions,
    tasks,
    webhooks,
)

#: What the app includes below ``/api/v2``.
routers: list[APIRouter] = [
    description.router, me.router, tasks.router, state.router, money.router, schedule.router, analyses.router,
    platform.router, audit.router, dead_letters.router, task_actions.router, state_actions.router, bulk.router,
    webhooks.router, proof.router, batches.router,
]  # fmt: skip
