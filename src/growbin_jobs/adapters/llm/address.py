"""The address of a model server."""

from typing import Final
from urllib.parse import urlsplit

from growbin_jobs.errors import ConfigurationError

OPENAI_URL: Final = "https://api.openai.com/v1"


def checked_url(url: str) -> str:
    """Return the address of a model server, as the SDK takes it.

    Raises:
      ConfigurationError: It is no address, or one that the SDK would spoil; it is not quoted.
    """
    try:
        address = urlsplit(url.strip())
        usable = address.scheme in ("http", "https") and address.hostname and address.username is None
        _ = address.port  # raises where it is none
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError("OPENAI_BASE_URL must look like https://host/v1, without a user or a password.")
    if address.query or address.fragment or address.path.rstrip("/").endswith("/completions"):
        # The SDK appends /chat/completions to it, and would do so behind a query as well.
        raise ConfigurationError(
            "OPENAI_BASE_URL must end where /chat/completions begins, such as https://host/v1, without ? and #."
        )
    return address.geturl()


def host_of(base_url: str | None) -> str:
    """Return host and port of a model server, which tell one server from another.

    Parameters:
      base_url: As the settings have it; None: OpenAI.
    """
    return urlsplit(checked_url(base_url or OPENAI_URL)).netloc
