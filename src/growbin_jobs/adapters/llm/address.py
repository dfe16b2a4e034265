"""The address of a model server."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from growbin_jobs.errors import ConfigurationError

OPENAI_URL: Final = "https://api.openai.com/v1"


#: Pages of the API, which are no addresses of a server.
_PAGES: Final = ("/completions", "/chat", "/models", "/responses", "/embeddings")


def checked_url(url: str) -> str:
    """Return the address of a model server, as the SDK takes it.

    Raises:
      ConfigurationError: It is no address, or one that the SDK would spoil; it is not quoted.
    """
    try:
        address = urlsplit(url.strip())
        usable = address.scheme in ("http", "https") and _is_host(address.hostname) and address.username is None
        _ = address.port  # raises where it is none
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("OPENAI_BASE_URL must look like https://host/v1, without a user or a password.")
    if address.fragment or address.path.rstrip("/").endswith(_PAGES):
        # The SDK appends /chat/completions to it.
        raise ConfigurationError(
            "OPENAI_BASE_URL must end where /chat/completions begins, such as https://host/v1, without #."
        )
    return address.geturl()


def _is_host(host: str | None) -> bool:
    """Return whether a name can be looked up, or is an address; raises ValueError where it cannot."""
    if not host or not host.encode("idna") or any(char.isspace() for char in host):
        return False
    if ":" in host or host.rpartition(".")[2].isdecimal():
        ip_address(host.partition("%")[0])
    return True


def parted_url(url: str) -> tuple[str, dict[str, str]]:
    """Return the address of a model server without its query, and the query, which every request gets.

    Azure wants one: ``https://RESOURCE.openai.azure.com/openai/deployments/NAME?api-version=2024-10-21``. The address
    without it is shown to people; a query may hold a key.

    Raises:
      ConfigurationError: See :func:`checked_url`.
    """
    address = urlsplit(checked_url(url))
    return address._replace(query="").geturl(), dict(parse_qsl(address.query, keep_blank_values=True))


def host_of(base_url: str | None) -> str:
    """Return host and port of a model server, which tell one server from another.

    Parameters:
      base_url: As the settings have it; None: OpenAI.
    """
    return urlsplit(checked_url(base_url or OPENAI_URL)).netloc
