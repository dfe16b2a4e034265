"""The pages: one module for each, whose router is in :data:`routers`."""

from growbin_jobs.monitor.pages import (
    access,
    account,
    analyses,
    audit,
    errors,
    health,
    live,
    money,
    overview,
    platform,
    schedule,
    sign_in,
    state,
    tasks,
)

#: What the app includes.
routers = [
    sign_in.router, account.router, access.router, live.router, health.router, overview.router, tasks.router,
    errors.router, analyses.router, state.router, schedule.router, money.router, platform.router, audit.router,
]  # fmt: skip
