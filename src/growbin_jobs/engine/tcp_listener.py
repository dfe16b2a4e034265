"""A socket that listens at an address, of whichever family it is."""

from __future__ import annotations

import errno
import re
import socket
from ipaddress import ip_address

#: All addresses of a machine, of both families.
EVERYWHERE = "::"

_NAME = re.compile(r"\w([\w.-]*\w)?")

_WITHOUT_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def read_host(text: str) -> str:
    """Return where to listen as it is written in a setting: an IPv6 address may stand in brackets, as in a URL.

    Raises:
      ValueError: It is neither an address nor a name; with a port or a scheme it is not.
    """
    host = text.strip()
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    try:
        ip_address(host)
    except ValueError:
        if not _NAME.fullmatch(host):
            raise ValueError("must be an address, such as 127.0.0.1, ::1 or :: for all, without a port") from None
    return host


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
