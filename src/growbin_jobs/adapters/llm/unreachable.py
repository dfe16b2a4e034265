"""Says why a model's server could not be reached, and what to look at."""

import socket
import ssl
from urllib.request import getproxies

from growbin_jobs.engine.foreign_errors import causes


def why_unreachable(error: BaseException) -> str:
    """Return what went wrong on the way to the server, in a sentence, and the remedy in another.

    Parameters:
      error: Of the SDK or an HTTP library; what the operating system or TLS said is found among its causes.
    """
    kind = type(error.__cause__ or error).__name__
    for cause in causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            said = getattr(cause, "verify_message", "no reason given")
            return (
                f"The certificate of the model's server is not trusted ({said}). Let SSL_CERT_FILE name a file with "
                "the authority's certificate, or correct OPENAI_BASE_URL."
            )
        if isinstance(cause, ssl.SSLError):
            return "The model's server does not speak TLS there. Check http:// and https:// in OPENAI_BASE_URL."
        if isinstance(cause, socket.gaierror):
            return f"The name of the model's server is not known. {_look()}"
        if isinstance(cause, ConnectionRefusedError):
            return f"Nothing listens at the address of the model's server. {_look()}"
    return f"The connection to the model's server failed ({kind}). {_look()}"


def _look() -> str:
    """Return what to look at; never a proxy's address, which may hold a password."""
    proxy = ", and the proxy of HTTPS_PROXY, HTTP_PROXY or ALL_PROXY" if getproxies().keys() - {"no"} else ""
    return f"Check OPENAI_BASE_URL and the network{proxy}."
