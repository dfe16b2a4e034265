"""Addresses of servers, fit to be shown."""

from urllib.parse import urlsplit, urlunsplit


def without_password(url: str) -> str:
    """Return a URL with its password, and everything in its query, masked.

    Parameters:
      url: Any URL; what cannot be taken apart is masked whole.
    """
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "********"
    user = f"{parts.username}:********@" if parts.password else f"{parts.username}@" if parts.username else ""
    query = "********" if parts.query else ""
    return urlunsplit((parts.scheme, f"{user}{parts.hostname or ''}{port}", parts.path, query, ""))
