"""Who sends a request: by session cookie, token, HTTP Basic, or a proxy's word. One answer for each request."""

import base64
import binascii
from typing import Any, Final

from starlette.requests import HTTPConnection

from growbin_jobs.monitor.people import Grant, Identity, Role
from growbin_jobs.monitor.security.origins import client_address, is_from_proxy

COOKIE: Final = "growbin_monitor"

#: Who everybody is in an insecure monitor.
_LOCAL: Final = Identity(name="local", grant=Grant(Role.ADMIN, personal=True), kind="insecure")


def identity_of(connection: HTTPConnection) -> Identity | None:
    """Return who asks; None: nobody that we know. It may ask the database and hash a password: not on the event loop.

    Raises:
      TooManyAttempts: Wrong passwords came too fast.
      Away: The database is away.
    """
    state = connection.scope.setdefault("state", {})
    if "identity" not in state:
        state["identity"] = identity_now(connection)
    found: Identity | None = state["identity"]
    return found


def known_identity(connection: HTTPConnection) -> Identity | None:
    """Return who asks as far as it was looked up for this request already; asks nobody."""
    found: Identity | None = connection.scope.get("state", {}).get("identity")
    return found


def identity_now(connection: HTTPConnection) -> Identity | None:
    """Return what :func:`identity_of` does, looked up anew: a stream asks again whether its session goes on."""
    app_state = connection.app.state
    if app_state.config.insecure:
        return _LOCAL
    scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return _by_token(app_state, credentials.strip())
    if scheme.lower() == "basic" and _takes_basic(connection):
        return _by_basic(app_state, connection, credentials.strip())
    return _by_proxy(app_state, connection) or _by_cookie(app_state, connection)


def is_api(connection: HTTPConnection) -> bool:
    """Return whether the request is for the API: there scripts ask, by HTTP Basic too."""
    path: str = connection.scope.get("path", "")[len(connection.scope.get("root_path", "")) :]
    return path == "/api" or path.startswith("/api/")


def _takes_basic(connection: HTTPConnection) -> bool:
    """Return whether scripts ask there by HTTP Basic: the API, and what they read of Flower beside it."""
    path: str = connection.scope.get("path", "")[len(connection.scope.get("root_path", "")) :]
    beside = path in ("/tasks/datatable", "/metrics") or (path == "/workers" and "json" in connection.query_params)
    return is_api(connection) or (beside and connection.scope.get("method") in ("GET", "HEAD"))


def _by_token(app_state: Any, secret: str) -> Identity | None:
    token = app_state.services.tokens.find(secret)
    if token is None:
        return None
    grant = Grant(Role[token.role.upper()], token.personal)
    return Identity(name=f"token {token.name}", grant=grant, kind="token")


def _by_basic(app_state: Any, connection: HTTPConnection, credentials: str) -> Identity | None:
    try:
        name, _, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    address = client_address(app_state.config.proxy, connection)
    mark = app_state.login_limit.begin(name, address)
    user = app_state.passwords.check_again(name, password)
    if user is None:
        return None
    app_state.login_limit.succeeded(name, address, mark)
    return Identity(name=user.name, grant=user.grant, kind="basic")


def _by_proxy(app_state: Any, connection: HTTPConnection) -> Identity | None:
    proxy = app_state.config.proxy
    if proxy.user_header is None or not is_from_proxy(proxy, connection):
        return None
    names = connection.headers.getlist(proxy.user_header)
    if len(names) != 1 or not names[0].strip():
        return None
    grant = app_state.config.allow.by_user(names[0].strip())
    return Identity(name=names[0].strip(), grant=grant, kind="proxy") if grant else None


def _by_cookie(app_state: Any, connection: HTTPConnection) -> Identity | None:
    secret = connection.cookies.get(COOKIE)
    session = app_state.services.sessions.find(secret) if secret else None
    if session is None:
        return None
    grant = Grant(Role[session.role.upper()], session.personal)
    if session.kind == "password":  # the settings may say otherwise by now
        user = app_state.passwords.user(session.name)
        if user is None:
            return None
        grant = user.grant
    return Identity(name=session.name, grant=grant, kind=session.kind, session=session.id)
