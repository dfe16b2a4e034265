"""Addresses of servers without their passwords, for people and logs."""

from urllib.parse import urlsplit

MASK = "********"


def without_password(url: str) -> str:
    """Return a URL with its password, and everything in its query, masked.

    Parameters:
      url: Any URL; what cannot be taken apart, or could be read in two ways, is masked whole.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return MASK
    # A password with an unencoded / ? or # ends the address early: the rest of it stands where a path is.
    if "://" not in url or "@" in parts.path + parts.query + parts.fragment:
        return MASK
    user = f"{parts.username}:{MASK}@" if parts.password else f"{parts.username}@" if parts.username else ""
    host = bracketed(parts.hostname or "")
    query = f"?{MASK}" if parts.query else ""
    return f"{parts.scheme}://{user}{host}{port}{parts.path}{query}"


def bracketed(host: str) -> str:
    """Return a host as it stands before a port: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def without_passwords(urls: str) -> str:
    """Return addresses that ``;`` separates, each as :func:`without_password`; all masked if one of them is masked.

    A password with an unencoded ``;`` is cut in pieces, and some of them look like an address.
    """
    shown = [without_password(part.strip()) for part in urls.split(";") if part.strip()]
    return MASK if MASK in shown else ";".join(shown)
