"""The pages: one module for each, whose router is in :data:`routers`."""

from growbin_jobs.monitor.pages import access, account, health, icon, live, oidc, overview, reading, sign_in

#: What the app includes.
routers = [
    sign_in.router,
    oidc.router,
    account.router,
    access.router,
    live.router,
    health.router,
    icon.router,
    overview.router,
    *reading.routers,
]
