"""One deadline for a whole HTTP call: the library's own timeouts start again with every read.

A server that sends one byte a second never trips a read timeout, and Dramatiq's time limit cannot interrupt a thread
that waits in a socket. Here every socket operation of a call (connecting, TLS, sending, reading the headers, reading
the body) gets at most the time that the call has left, so the deadline holds wherever the server stalls.

Only name resolution stays outside: the operating system does it, with its own limits.
"""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any

import httpcore2
import httpx2

from growbin_jobs.adapters.llm.first_byte import watch
from growbin_jobs.engine.threads import gevent_active

#: When the current call must be over, on the monotonic clock. Sync HTTP runs in its caller's thread (or greenlet), so
#: the sockets find the deadline of the call they serve here, although connections are shared and live longer.
_end: ContextVar[float] = ContextVar("growbin_http_deadline", default=math.inf)

#: Bytes sent between two looks at the clock.
_CHUNK = 65_536

_PASSED = "the deadline of the whole call has passed"


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Let every HTTP call inside, through a :class:`DeadlineTransport`, be over in so many seconds in all.

    Raises:
      httpx2.TimeoutException: In the call, when the time is up.
    """
    token = _end.set(min(_end.get(), time.monotonic() + seconds))
    try:
        yield
    finally:
        _end.reset(token)


def postpone(seconds: float) -> None:
    """Move the deadline of the current call by so many seconds: it waited for its turn, and not for the server."""
    _end.set(_end.get() + seconds)


class DeadlineTransport(httpx2.HTTPTransport):
    """httpx2's own transport on sockets that keep to :func:`deadline`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # httpx2 does not hand httpcore2's public network_backend on. Should either rename its attribute, this
        # raises AttributeError at once, and not a deadline that silently holds no more.
        self._pool._network_backend = _DeadlineBackend(self._pool._network_backend)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        watch(request)
        return super().handle_request(request)


class _DeadlineBackend(httpcore2.NetworkBackend):
    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        with _limit(timeout, httpcore2.ConnectTimeout) as left:
            return _DeadlineStream(self._inner.connect_tcp(host, port, left, local_address, socket_options))


class _DeadlineStream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _limit(timeout, httpcore2.ReadTimeout) as left:
            return self._inner.read(max_bytes, left)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), _CHUNK):
            with _limit(timeout, httpcore2.WriteTimeout) as left:
                self._inner.write(buffer[start : start + _CHUNK], left)

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        with _limit(timeout, httpcore2.ConnectTimeout) as left:
            return _DeadlineStream(self._inner.start_tls(ssl_context, server_hostname, left))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


@contextmanager
def _limit(timeout: float | None, error: type[httpcore2.TimeoutException]) -> Iterator[float | None]:
    """Yield the seconds that one socket operation may take: its own timeout, or less if the call has less left."""
    left = _end.get() - time.monotonic()
    if left <= 0:
        raise error(_PASSED)
    if math.isinf(left):
        yield timeout
    elif not gevent_active():
        yield left if timeout is None else min(timeout, left)
    else:
        # gevent's TLS sockets begin their timeout anew with every piece of a record; CPython's do not.
        from gevent import Timeout

        with Timeout(left, error(_PASSED)):
            yield timeout
