"""Where a connection comes from, as far as it can be believed: the address, the scheme and the host of a request."""

from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from growbin_jobs.monitor.config import MonitorConfig, TrustedProxy

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(value: str) -> str | None:
    """Return the name of a Host header without its port, in lower case; None where it is none."""
    if not value or any(sign in value for sign in "/\\@?# \t,"):
        return None
    try:
        parts = urlsplit(f"//{value}")
        parts.port  # noqa: B018 raises for a port that is none
    except ValueError:
        return None
    return parts.hostname.rstrip(".") if parts.hostname else None


def is_host_allowed(config: MonitorConfig, value: str) -> bool:
    """Return whether a Host header names this monitor.

    A page elsewhere can let its own name lead to our address (DNS rebinding), and then read what we answer; so names
    must be known. It cannot do that with an IP address, which is why those are allowed without being listed, except
    in an insecure monitor, which answers on the loopback only.
    """
    name = host_name(value)
    if name is None:
        return False
    if name in LOOPBACK_NAMES:
        return True
    if config.insecure:
        return False
    if name in {each.lower() for each in config.hosts} or name == _public_host(config):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def is_from_proxy(proxy: TrustedProxy, connection: HTTPConnection) -> bool:
    """Return whether the other end of the connection is the proxy that we believe."""
    client = connection.scope.get("client")
    if client is None:  # a unix socket has no address
        return proxy.unix_socket
    address = parsed_address(client[0])
    return address is not None and any(address in network for network in proxy.networks)


def client_address(proxy: TrustedProxy, connection: HTTPConnection) -> str:
    """Return the address of who asks: the connection's, or what a believed proxy says behind the last comma."""
    client = connection.scope.get("client")
    own = client[0] if client else "unix"
    if is_from_proxy(proxy, connection):
        said = parsed_address(connection.headers.get("x-forwarded-for", "").rpartition(",")[2].strip())
        return str(said) if said else own
    return own


def scheme_of(config: MonitorConfig, connection: HTTPConnection) -> str:
    """Return ``https`` where the browser speaks it, so far as we can know."""
    if (config.public_url or "").startswith("https:"):
        return "https"
    if is_from_proxy(config.proxy, connection) and (said := connection.headers.get("x-forwarded-proto")):
        return "https" if said.strip().lower() == "https" else "http"
    return str(connection.scope.get("scheme", "http"))


def parsed_address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an IP address, an IPv4 one in IPv6's clothes as IPv4; None where it is none."""
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _public_host(config: MonitorConfig) -> str | None:
    return urlsplit(config.public_url).hostname if config.public_url else None
