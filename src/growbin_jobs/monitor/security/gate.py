"""What every request passes first: the host must be ours, and what changes something must come from our own pages.

It stands before all routes and all kinds of login, HTTP Basic and an insecure monitor included, since browsers send
their credentials along whatever page asks (CVE-2022-30034, CVE-2025-62593, CVE-2026-27482).
"""

from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from growbin_jobs.monitor.config import MonitorConfig
from growbin_jobs.monitor.security.identify import COOKIE
from growbin_jobs.monitor.security.origins import is_host_allowed, scheme_of

#: Methods that change nothing (RFC 9110, section 9.2.1).
SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

POLICY: Final = "; ".join(
    [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "font-src 'self'",
        "connect-src 'self'", "manifest-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
    ]
)  # fmt: skip

_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "x-frame-options": "DENY",
}

_WRONG_HOST: Final = (
    "This is not a name of the monitor. If it should be one, add it to GROWBIN_MONITOR_HOSTS.\n"
    "모니터의 주소가 아닙니다. 맞는 주소라면 GROWBIN_MONITOR_HOSTS에 추가하세요.\n"
)
_FOREIGN: Final = (
    "This request comes from another site, so it changes nothing. If it is the monitor's own, a proxy hides its name: "
    "let that pass on Host with the port, or set GROWBIN_MONITOR_PUBLIC_URL.\n"
    "다른 사이트에서 온 요청이므로 아무것도 바꾸지 않았습니다. 모니터의 페이지에서 보낸 요청이라면 "
    "프록시가 주소를 가린 것입니다. 프록시가 Host를 포트까지 그대로 넘기게 하거나 "
    "GROWBIN_MONITOR_PUBLIC_URL을 설정하세요.\n"
)


class Gate:
    """An ASGI middleware that refuses foreign hosts and foreign origins, sets the prefix and the headers of safety.

    Parameters:
      app: What comes behind.
      config: Of the monitor.
      failed: Returns the answer for an error that nobody expected; here, so that it gets the headers too.
    """

    def __init__(self, app: ASGIApp, config: MonitorConfig, failed: Callable[[Request, Exception], Response]) -> None:
        self._app = app
        self._config = config
        self._failed = failed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = dict(scope) | _below(self._config.url_prefix, scope["path"])
        connection = HTTPConnection(scope)
        secure = scheme_of(self._config, connection) == "https"
        refusal = self._refusal(connection, "https" if secure else "http")

        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
                if secure:
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        try:
            await (refusal or self._app)(scope, receive, send_with_headers)
        except Exception as error:
            answer = await run_in_threadpool(self._failed, Request(scope), error)
            if started:
                raise  # half an answer is out: the server must cut the connection
            await answer(scope, receive, send_with_headers)

    def _refusal(self, connection: HTTPConnection, scheme: str) -> PlainTextResponse | None:
        hosts = connection.headers.getlist("host")
        if len(hosts) != 1 or not is_host_allowed(self._config, hosts[0]):
            return PlainTextResponse(_WRONG_HOST, 421)
        if connection.scope["method"] not in SAFE and not _is_own(connection, scheme, self._config.public_url):
            return PlainTextResponse(_FOREIGN, 403)
        return None


def _is_own(connection: HTTPConnection, scheme: str, public_url: str | None) -> bool:
    """Return whether a request that changes something comes from our pages, or from no browser.

    Parameters:
      scheme: That the browser speaks, so far as we know.
      public_url: Where our pages are, whatever a proxy makes of the host; no other site can send it as its origin.
    """
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None and site.lower() not in ("same-origin", "none"):
        return False
    if origin is not None:
        said = urlsplit(origin)
        if public_url is not None and _place(said) == _place(urlsplit(public_url)):
            return True
        host = connection.headers["host"]
        ours = said.scheme in ("http", "https") and _with_port(said.netloc, said.scheme) == _with_port(
            host, said.scheme
        )
        # Browsers that send Sec-Fetch-Site have compared the schemes already, and know more than a proxy tells us.
        return ours and (site is not None or said.scheme == scheme or scheme == "http")
    # A browser says at least one of the two with what changes something; without them a cookie is worth nothing.
    return site is not None or COOKIE not in connection.cookies


def _place(url: SplitResult) -> tuple[str, str]:
    return url.scheme, _with_port(url.netloc, url.scheme)


def _with_port(host: str, scheme: str) -> str:
    name = host.lower()
    has_port = name.rpartition("]")[2].find(":") >= 0
    return name if has_port else f"{name}:{443 if scheme == 'https' else 80}"


def _below(prefix: str, path: str) -> dict[str, str]:
    """Return the path and root path of a request, whether a proxy strips the prefix or not."""
    if not prefix:
        return {}
    inner = path[len(prefix) :] if path == prefix or path.startswith(f"{prefix}/") else path
    return {"root_path": prefix, "path": prefix + (inner or "/")}
