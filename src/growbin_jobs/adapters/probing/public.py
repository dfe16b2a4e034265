"""Judges whether an address may be asked on somebody's behalf: only what is known to be public (SSRF guard).

``ipaddress.is_global`` is no such guard: in Python 3.11 it is True for NAT64, 6to4 and IPv4-compatible forms of
127.0.0.1, and for multicast. Here every form that carries an IPv4 address is unwrapped first, and what is left must lie
outside all special-purpose ranges (IANA's registries of IPv4 and IPv6 special-purpose addresses, RFC 6890).
"""

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

_SPECIAL_4: Final = tuple(
    IPv4Network(each)
    for each in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        # Azure's platform services, on a public address (https://learn.microsoft.com/azure/virtual-network/
        # what-is-ip-address-168-63-129-16).
        "168.63.129.16/32",
    )
)  # fmt: skip

#: The only range that IANA gives out for public hosts.
_UNICAST_6: Final = IPv6Network("2000::/3")
_SPECIAL_6: Final = tuple(
    IPv6Network(each) for each in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")
)

_COMPATIBLE: Final = IPv6Network("::/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = (0x00005EFE, 0x02005EFE)


def is_public(address: str, allowed: Iterable[Network] = ()) -> bool:
    """Return whether an address is public, or in one of the networks that are allowed all the same.

    Parameters:
      address: As the resolver returns it; one with a zone (``fe80::1%eth0``) is never public.
      allowed: Private networks that the operator has allowed.
    """
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        return False
    networks = tuple(allowed)
    return all(_is_public(each) or any(each in network for network in networks) for each in _unwrapped(parsed))


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from their texts, such as ``10.1.0.0/16``. Raises ValueError."""
    return tuple(ip_network(text) for text in texts)


def _unwrapped(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """Yield the address, or all addresses that it carries: each of them may be where packets end."""
    if isinstance(address, IPv4Address):
        yield address
        return
    number = int(address)
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo
    elif any(address in network for network in (_NAT64, _TRANSLATED)) or (address in _COMPATIBLE and number > 0xFFFF):
        yield IPv4Address(number & 0xFFFFFFFF)
    elif (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield IPv4Address(number & 0xFFFFFFFF)
        yield address
    else:
        yield address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _SPECIAL_4)
    return address in _UNICAST_6 and not any(address in network for network in _SPECIAL_6)
