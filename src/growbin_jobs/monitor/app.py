"""Makes the web application: what every request passes, the routers of pages and interfaces, and errors as answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from typing import Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

from growbin_jobs import __version__
from growbin_jobs.monitor.answers import add_handlers, failed
from growbin_jobs.monitor.api import flower, mcp, v2
from growbin_jobs.monitor.api.problems import RESPONSES
from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.live import Live, Watcher
from growbin_jobs.monitor.marks import marks_of
from growbin_jobs.monitor.pages import routers as pages
from growbin_jobs.monitor.security.gate import SAFE, Gate
from growbin_jobs.monitor.security.login_limit import LoginLimit
from growbin_jobs.monitor.security.oidc import OidcSignIn
from growbin_jobs.monitor.security.passwords import Passwords
from growbin_jobs.monitor.security.permissions import PERMISSIONS
from growbin_jobs.monitor.security.routes import routes_of
from growbin_jobs.monitor.services import Services
from growbin_jobs.monitor.static_files import PackageFiles

__all__ = ["make_app"]

#: Bytes of a request; edited arguments of a task may be long.
LONGEST_BODY: Final = 20_000_000


def make_app(config: MonitorConfig, services: Services | None = None) -> FastAPI:
    """Return the monitor as an ASGI application; nothing connects until the first request.

    Parameters:
      config: Of the monitor.
      services: What routes work with; None: those of this process's settings.
    """
    if services is None:
        from growbin_jobs.monitor.bootstrap import make_services

        services = make_services()
    app = FastAPI(
        title="growbin-jobs", version=__version__, openapi_url=None, docs_url=None, redoc_url=None, lifespan=_life,
        max_body_size=LONGEST_BODY, routes=_routes(),
    )  # fmt: skip
    app.state.config = config
    app.state.services = services
    app.state.live = Live()
    app.state.passwords = Passwords(config.users)
    app.state.login_limit = LoginLimit()
    app.state.oidc = None
    if config.oidc is not None:
        callback = f"{config.public_url}{config.url_prefix}/sign-in/oidc/callback"
        app.state.oidc = OidcSignIn(config.oidc, config.allow, callback)
    add_handlers(app)
    app.add_middleware(Gate, config=config, failed=failed)
    return app


@cache
def _routes() -> list[BaseRoute]:
    """Return the routes, which are the same in every application: to make them takes most of a second."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, max_body_size=LONGEST_BODY)
    for router in v2.routers:  # not by a router of their own: FastAPI would make each route once more
        app.include_router(router, prefix="/api/v2", responses=RESPONSES)
    for router in (mcp.router, *flower.routers, *pages):
        app.include_router(router)
    app.mount("/static", PackageFiles(), name="static")
    check_routes(app)
    return app.routes


def check_routes(app: FastAPI) -> None:
    """Refuse an application with a route that names no action, or that changes something by GET.

    Raises:
      AssertionError: A route is wrong: a mistake of ours, found at the start and not by an attacker.
    """
    for path, methods, actions in routes_of(app):
        assert actions, f"{path} names no action: give it dependencies=[require(Action.…)]"
        changing = [action for action in actions if PERMISSIONS[action].changes]
        assert not (changing and SAFE & methods), f"{path} changes something by GET: {changing}"


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    watcher = Watcher(app.state.live, marks_of(app.state.services))
    watcher.start()
    try:
        yield
    finally:
        app.state.live.close()
        watcher.stop()
        app.state.services.close()
