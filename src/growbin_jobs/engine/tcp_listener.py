"""A socket that listens at an address, of whichever family it is."""

from __future__ import annotations

import errno
import socket

#: All addresses of a machine, of both families.
EVERYWHERE = "::"

_WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listen(host: str, port: int, *, backlog: int) -> socket.socket:
    """Return a socket that listens.

    Parameters:
      host: A name or an address. ``::`` is every address of this machine, of IPv4 and of IPv6: where a kernel has no
        IPv6, as in many containers, that is every one of IPv4.
      port: 0 for a free one.
      backlog: Connections that may wait to be accepted.

    Raises:
      OSError: It cannot be had.
    """
    try:
        return _listen(host, port, backlog)
    except OSError as error:
        if host != EVERYWHERE or error.errno not in _WITHOUT_IPV6:
            raise
        return _listen("0.0.0.0", port, backlog)  # noqa: S104 what is asked for


def _listen(host: str, port: int, backlog: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP, flags=socket.AI_PASSIVE
    )[0]
    # asyncio sends small parts at once (TCP_NODELAY) where a socket names its protocol; else most answers wait for
    # the other side's delayed acknowledgement, which comes after 40 ms.
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == EVERYWHERE:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(address)
        listener.listen(backlog)
    except OSError:
        listener.close()
        raise
    return listener
