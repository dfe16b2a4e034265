"""The pages: one module for each, whose router is in :data:`routers`."""

from growbin_jobs.monitor.pages import (
    access,
    account,
    acting,
    bulk,
    editing,
    health,
    icon,
    live,
    oidc,
    overview,
    reading,
    sign_in,
    webhooks,
)

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
    acting.router,
    bulk.router,
    editing.router,
    webhooks.router,
    *reading.routers,
]
