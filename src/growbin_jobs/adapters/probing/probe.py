"""Sends one HTTP request to check a target, and tells what came of it and how long each phase took."""

import logging
import ssl
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Literal

import httpx2

from growbin_jobs.adapters.llm.deadline import deadline
from growbin_jobs.adapters.probing.guarded import CONNECT_TIMEOUT, GuardedTransport, NotPublic, NotResolved, Resolve
from growbin_jobs.adapters.probing.public import Network

#: Bytes of an answer that are read.
MOST_READ: Final = 65_536

#: Addresses may hold secrets, such as tokens of webhooks, and these loggers write them whole.
_TALKATIVE: Final = ("httpx2", "httpcore2")

#: Why no answer came.
Failure = Literal["address", "not public", "not resolved", "not connected", "tls", "timeout", "broken"]


@dataclass(slots=True)
class Answer:
    """What came of one request.

    Attributes:
      failure: Why no answer came; None: one came, and ``http_status`` is its status.
      body: Its first bytes.
      latency_ms: Until the end, whatever it was.
      phases: Milliseconds of each phase that was reached.
      tls_expires_at: End of the certificate's validity.
    """

    failure: Failure | None = None
    http_status: int | None = None
    body: bytes = b""
    latency_ms: int = 0
    phases: dict[str, int] = field(default_factory=dict)
    tls_expires_at: datetime | None = None


class Prober:
    """Sends requests. One connection for each: a check must see what a new client would see.

    Parameters:
      allowed: Private networks that the operator has allowed.
      trusted_hosts: Names that the operator has set himself.
      resolve: Returns the addresses of a name; None: the system's resolver.
      tls: None: the usual authorities.
    """

    def __init__(
        self,
        *,
        allowed: Iterable[Network] = (),
        trusted_hosts: Iterable[str] = (),
        resolve: Resolve | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)
        self._allowed = tuple(allowed)
        self._trusted_hosts = frozenset(trusted_hosts)
        self._resolve = resolve
        self._tls = tls

    def send(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        seconds: float,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request and read at most :data:`MOST_READ` bytes of the answer; redirects are not followed.

        Parameters:
          json, content: The body, as a value or as it is sent.
          seconds: For all of it: resolving, connecting, TLS, sending, the whole answer.
        """
        answer, started = Answer(), time.monotonic()
        try:
            with deadline(seconds):
                body = {"json": json} if content is None else {"content": content}
                self._exchange(answer, method, url, dict(headers or {}), body, seconds)
        except httpx2.TimeoutException:
            answer.failure = "timeout"
        except httpx2.ConnectError as error:
            answer.failure = _connect_failure(error)
        except (httpx2.InvalidURL, httpx2.UnsupportedProtocol, UnicodeError):
            answer.failure = "address"
        except httpx2.HTTPError:
            answer.failure = "broken"
        answer.latency_ms = round((time.monotonic() - started) * 1000)
        return answer

    def _exchange(
        self, answer: Answer, method: str, url: str, headers: dict[str, str], body: Mapping[str, Any], seconds: float
    ) -> None:
        begun: dict[str, float] = {}

        def phase(name: str, milliseconds: float) -> None:
            answer.phases[name] = round(milliseconds)

        def trace(event: str, _info: Mapping[str, Any]) -> None:
            part, _, step = event.rpartition(".")
            name = _TRACED.get(part)
            if name and step == "started":
                begun[name] = time.monotonic()
            elif name and step == "complete":
                phase(name, (time.monotonic() - begun[name]) * 1000)

        transport = GuardedTransport(
            allowed=self._allowed,
            trusted_hosts=self._trusted_hosts,
            resolve=self._resolve,
            phase=phase,
            tls=self._tls or _usual_authorities(),
        )
        timeout = httpx2.Timeout(seconds, connect=min(CONNECT_TIMEOUT, seconds))
        with (
            httpx2.Client(transport=transport, trust_env=False, timeout=timeout, follow_redirects=False) as client,
            client.stream(method, url, headers=headers, **body, extensions={"trace": trace}) as response,
        ):
            answer.http_status = response.status_code
            answer.tls_expires_at = _expiry(response.extensions.get("network_stream"))
            answer.body = _first_bytes(response)


@cache
def _usual_authorities() -> ssl.SSLContext:
    """Return what certificates are verified with; reading the authorities takes too long for each request."""
    return httpx2.create_ssl_context(trust_env=False)


_TRACED: Final = {
    "connection.start_tls": "tls",
    "http11.receive_response_headers": "first_byte",
    "http11.receive_response_body": "body",
}


def _first_bytes(response: httpx2.Response) -> bytes:
    parts, size = [], 0
    for part in response.iter_raw():
        parts.append(part)
        size += len(part)
        if size >= MOST_READ:
            break
    return b"".join(parts)[:MOST_READ]


def _expiry(stream: Any) -> datetime | None:
    tls = stream.get_extra_info("ssl_object") if stream is not None else None
    certificate = tls.getpeercert() if tls is not None else None
    if not certificate or "notAfter" not in certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)


def _connect_failure(error: BaseException) -> Failure:
    """Return why no connection came about; httpx2 puts its own error around httpcore2's, and that around ssl's."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotPublic):
            return "not public"
        if isinstance(cause, NotResolved):
            return "not resolved"
        if isinstance(cause, ssl.SSLError):
            return "tls"
        cause = cause.__cause__ or cause.__context__
    return "not connected"
