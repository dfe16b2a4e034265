"""TLS to RabbitMQ: which authority to trust and which certificate to show, from the address; and what went wrong."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from growbin_jobs.engine.errors import ConfigurationError

#: RabbitMQ's own names for them: https://www.rabbitmq.com/docs/uri-query-parameters
FILES = ("cacertfile", "certfile", "keyfile")


def split_files(url: str) -> tuple[str, dict[str, str]]:
    """Return an address without the files of TLS, and these by name."""
    parts = urlsplit(url)
    options = parse_qsl(parts.query, keep_blank_values=True)
    files = {name: value for name, value in options if name in FILES}
    rest = urlencode([(name, value) for name, value in options if name not in FILES])
    return (urlunsplit(parts._replace(query=rest)) if files else url), files


def context(files: Mapping[str, str], where: str) -> ssl.SSLContext:
    """Return the terms of connections: the server's certificate is valid, of a trusted authority, and names its host.

    Parameters:
      files: Of :func:`split_files`. Without ``cacertfile`` the system's authorities are trusted, or those that
        ``SSL_CERT_FILE`` names.
      where: Which address, for errors.

    Raises:
      ConfigurationError: If a file cannot be used.
    """
    for name, path in files.items():
        try:
            Path(path).read_bytes()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "no path"
            raise ConfigurationError(f"{where}: {name} {path!r} cannot be read ({reason}).") from None
    if "keyfile" in files and "certfile" not in files:
        raise ConfigurationError(f"{where}: keyfile needs certfile.")
    try:
        terms = ssl.create_default_context(cafile=files.get("cacertfile"))
        if "certfile" in files:
            terms.load_cert_chain(files["certfile"], files.get("keyfile"), password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigurationError(
            f"{where}: {', '.join(sorted(files))} cannot be used ({_reason(error)}). They must be PEM files; the key "
            "must belong to the certificate and have no password."
        ) from None
    return terms


def explain(error: BaseException) -> str | None:
    """Return in words why a TLS connection did not come to be; None if it is another error."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {error.verify_message.rstrip('.')}. Name the authority that signed it by "
            "?cacertfile=/path/ca.pem in the address, and the server as its certificate does"
        )
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "this port speaks no TLS. Write amqp://, or the port for TLS (5671)"
        return f"TLS failed: {_reason(error)}"
    return None


def _reason(error: BaseException) -> str:
    """Return OpenSSL's reason in words, without the line of its source."""
    text = getattr(error, "reason", None) or str(error)
    return re.sub(r" \(_ssl\.c:\d+\)", "", str(text)).replace("_", " ").lower()


def _no_password() -> str:
    raise ValueError("the key has a password")
