"""Connects to addresses that were judged, and to no others.

A name is resolved once for each connection, all its addresses are judged, and the socket goes to one of the very
addresses that were judged: a name that answers differently the second time (DNS rebinding) is not asked twice. TLS and
the Host header keep the name. Nothing is remembered between connections: a name that failed once is asked anew.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import httpcore2

from growbin_jobs.adapters.llm.deadline import DeadlineTransport
from growbin_jobs.adapters.probing.public import Network, is_public

#: Returns the addresses of a name.
Resolve = Callable[[str, int], Sequence[str]]

#: Seconds to connect to one address.
CONNECT_TIMEOUT = 3.0

#: Told of the milliseconds that a phase took.
Phase = Callable[[str, float], None]


class NotPublic(httpcore2.ConnectError):
    """The name has an address that is not public."""


class NotResolved(httpcore2.ConnectError):
    """The name has no address, or the resolver did not answer in time."""


class GuardedTransport(DeadlineTransport):
    """httpx2's transport that connects to judged addresses only, within :func:`deadline`.

    Parameters:
      allowed: Private networks that the operator has allowed.
      trusted_hosts: Names that the operator has set himself, which need no judging.
      resolve: Returns the addresses of a name; None: the system's resolver.
      phase: Told how long resolving and connecting took.
      tls: None: the usual authorities.
    """

    def __init__(
        self,
        *,
        allowed: Iterable[Network] = (),
        trusted_hosts: Iterable[str] = (),
        resolve: Resolve | None = None,
        phase: Phase = lambda _name, _ms: None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(trust_env=False, verify=tls if tls is not None else True)
        self._pool._network_backend = _GuardedBackend(
            self._pool._network_backend, tuple(allowed), frozenset(trusted_hosts), resolve or system_resolve, phase
        )


class _GuardedBackend(httpcore2.NetworkBackend):
    def __init__(
        self,
        inner: httpcore2.NetworkBackend,
        allowed: tuple[Network, ...],
        trusted_hosts: frozenset[str],
        resolve: Resolve,
        phase: Phase,
    ) -> None:
        self._inner = inner
        self._allowed = allowed
        self._trusted_hosts = trusted_hosts
        self._resolve = resolve
        self._phase = phase

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        started = time.monotonic()
        addresses = _within(lambda: self._resolve(host, port), timeout)
        self._phase("resolve", (time.monotonic() - started) * 1000)
        if host not in self._trusted_hosts and not all(is_public(each, self._allowed) for each in addresses):
            raise NotPublic("the name has an address that is not public")
        started, options = time.monotonic(), list(socket_options or ())
        for address in addresses[:-1]:
            try:
                stream = self._inner.connect_tcp(address, port, timeout, local_address, options)
                break
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        else:
            stream = self._inner.connect_tcp(addresses[-1], port, timeout, local_address, options)
        self._phase("connect", (time.monotonic() - started) * 1000)
        return stream


def system_resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a name from the system's resolver, each once, in its order.

    Raises:
      OSError: There is none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _within(resolve: Callable[[], Sequence[str]], timeout: float | None) -> Sequence[str]:
    """Resolve in a thread of its own: a resolver that hangs cannot be interrupted. Under gevent it is a greenlet."""
    found: list[Sequence[str]] = []

    def work() -> None:
        try:
            found.append(resolve())
        except (OSError, UnicodeError):
            found.append(())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(timeout)
    if not found or not found[0]:
        raise NotResolved("the name has no address" if found else "the resolver did not answer in time")
    return found[0]
