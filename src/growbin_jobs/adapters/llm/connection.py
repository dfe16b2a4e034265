"""One process's HTTP connection to a model server.

Imported at the first call only: the SDK takes 1.2 s and 45 MB, which a producer and offline models never need.
"""

import ssl
import time
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
import openai
from openai._types import RequestOptions

from growbin_jobs.adapters.llm.body import encoded
from growbin_jobs.adapters.llm.bounded import bounded
from growbin_jobs.adapters.llm.deadline import DeadlineTransport
from growbin_jobs.adapters.llm.meter import BEGAN
from growbin_jobs.errors import ConfigurationError

#: HTTP connections that a process opens at most; threads of a worker are fewer.
MAX_CONNECTIONS = 200

#: Seconds to connect, and to wait for a free connection, within the call's own deadline.
CONNECT_TIMEOUT = 5.0


def connect(
    url: str, key: str, *, query: Mapping[str, str] | None = None, key_header: str | None = None
) -> openai.OpenAI:
    """Return the SDK's client; it connects when it is first used.

    Parameters:
      url: Address of the server.
      key: Empty for a server that wants none.
      query: Of every request, such as Azure's ``api-version``.
      key_header: Where the server wants the key (Azure: ``api-key``); None: as a bearer token.

    Raises:
      ConfigurationError: The environment's proxy is none that can be used.
    """
    limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=MAX_CONNECTIONS)
    try:
        proxy = proxy_for(url)
        transport = DeadlineTransport(limits=limits, proxy=proxy, verify=_trusted(url, proxy))
    except (ValueError, ImportError, httpx2.InvalidURL):
        # A kind of proxy that httpx2 does not know, or socks without its package.
        raise ConfigurationError(
            "HTTPS_PROXY (or HTTP_PROXY, ALL_PROXY) names a proxy that cannot be used: it must be http://host:port or "
            "https://host:port. Correct it, or add the model's server to NO_PROXY."
        ) from None
    except OSError as error:  # ssl.SSLError too: a file that holds no certificates
        raise ConfigurationError(
            f"The certificates of authorities cannot be read ({error.strerror or type(error).__name__}). "
            "Correct SSL_CERT_FILE and SSL_CERT_DIR."
        ) from None

    def prepare(request: httpx2.Request) -> None:
        request.headers["accept-encoding"] = "gzip, deflate"  # what is bounded
        if key_header is not None and not key.startswith("eyJ"):  # a token of Entra ID stays a bearer token
            request.headers[key_header] = key
            del request.headers["authorization"]

    return openai.OpenAI(
        api_key=key or "none",  # the SDK insists on one
        base_url=url,
        default_query=dict(query or {}),
        max_retries=0,
        # No redirects: the picture goes to the configured server and nowhere else.
        http_client=httpx2.Client(
            transport=transport,
            follow_redirects=False,
            event_hooks={"request": [prepare], "response": [_note_beginning]},
        ),
    )


def completions(client: openai.OpenAI, body: Mapping[str, object], timeout: httpx2.Timeout) -> httpx2.Response:
    """Ask for a chat completion and return the response as it came.

    ``client.chat.completions.create`` walks through each message, part and schema by the types of its parameters, which
    takes longer than the rest of a request. The body is in the API's own form already. Nor is a client made for each
    timeout, as ``with_options`` does.

    Parameters:
      client: From :func:`connect`.
      body: Of the request.
      timeout: Of each step.

    Raises:
      openai.OpenAIError: As the SDK's own methods.
    """
    options: RequestOptions = {"timeout": timeout}
    return client.post("/chat/completions", cast_to=httpx2.Response, content=encoded(body), options=options)


def _trusted(url: str, proxy: str | None) -> ssl.SSLContext | bool:
    """Return what certificates are verified with: the usual authorities, which take 60 ms to read.

    Nobody where no certificate is ever seen: at a plain address, from which no redirect is followed.
    """
    plain = proxy is None and urlsplit(url).scheme == "http"
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True


def _note_beginning(response: httpx2.Response) -> None:
    """Note when a response began: the hook runs once its headers are here, before its body is read; and bound that."""
    response.extensions[BEGAN] = time.monotonic()
    bounded(response)


def timeouts(seconds: float) -> httpx2.Timeout:
    """Return the limits of each step of a call; the deadline limits the whole."""
    first = min(CONNECT_TIMEOUT, seconds)
    return httpx2.Timeout(seconds, connect=first, pool=first)


def proxy_for(url: str) -> str | None:
    """Return the environment's proxy, which httpx2 does not look up for a transport of ours.

    HTTPS_PROXY or HTTP_PROXY, else ALL_PROXY, as everywhere; one without a scheme is ``http``.
    """
    address, proxies = urlsplit(url), getproxies()
    if proxy_bypass(address.netloc) or _in_networks(address.hostname or "", proxies.get("no", "")):
        return None
    proxy = proxies.get(address.scheme) or proxies.get("all")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _in_networks(host: str, excepted: str) -> bool:
    """Return whether an address lies in one of the networks that NO_PROXY names (``10.0.0.0/8``), as in Kubernetes."""
    for name in excepted.split(","):
        try:
            if "/" in name and ip_address(host) in ip_network(name.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False
