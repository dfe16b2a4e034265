"""The addresses of RabbitMQ servers: read strictly, and never shown with a password."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from urllib.parse import urlsplit

import pika

from growbin_jobs.engine.addresses import bracketed
from growbin_jobs.engine.broker.rabbitmq import tls
from growbin_jobs.engine.errors import ConfigurationError

#: Seconds after which a connection that an alarm of the broker blocks is given up. Long, because what lies in its
#: buffers still arrives when the alarm ends: each new connection would add a copy. Callers have their own timeouts.
BLOCKED_TIMEOUT = 300.0


#: The setting that holds the URL, unless it is said otherwise.
SETTING = "GROWBIN_BROKER_URL"


class ServerParameters(pika.URLParameters):  # type: ignore[misc]
    """Parameters of a connection that know which setting they come from, for sentences that say what to correct.

    Attributes:
      setting: Its name.
    """

    setting = SETTING


def setting_of(parameters: Iterable[pika.URLParameters]) -> str:
    """Return the name of the setting that the parameters of a connection come from."""
    return next((one.setting for one in parameters if isinstance(one, ServerParameters)), SETTING)


def parse_urls(url: str, setting: str = SETTING) -> list[pika.URLParameters]:
    """Return connection parameters of one or more ``amqp://`` URLs, separated by ``;``.

    Raises:
      ConfigurationError: If one cannot be understood, or names a file that cannot be used. The message does not repeat
        the address, since it holds a password.
    """
    parameters: list[pika.URLParameters] = []
    for number, part in enumerate(filter(None, map(str.strip, url.split(";"))), start=1):
        try:
            one = _parsed(part, f"{setting}: address {number}")
        except ConfigurationError:
            raise
        except Exception:
            raise ConfigurationError(
                f"{setting}: address {number} is no AMQP URL. Write amqp://user:password@host:5672/vhost, "
                "with special characters of user, password and vhost percent-encoded."
            ) from None
        one.connection_attempts = 1  # ManagedConnection tries again by itself
        if one.blocked_connection_timeout is None:
            one.blocked_connection_timeout = BLOCKED_TIMEOUT
        one.setting = setting
        parameters.append(one)
    if not parameters:
        raise ConfigurationError(f"{setting} is empty.")
    return parameters


def _parsed(url: str, where: str) -> ServerParameters:
    url, files = tls.split_files(url)
    parts = urlsplit(url)
    if parts.scheme not in ("amqp", "amqps") or "://" not in url:  # pika takes any other for amqp
        raise ValueError
    # pika fills in localhost and guest for what is missing, and drops what it does not expect.
    if not parts.hostname or parts.port == 0 or parts.fragment:
        raise ValueError
    if "/" in parts.path[1:] and parts.path != "//":  # some write // for the virtual host /
        raise ValueError
    # A password with an unencoded / or ? ends the address early: the rest of it would be shown as vhost.
    if "@" in parts.path or "@" in parts.query:
        raise ValueError
    parameters = ServerParameters(url)
    if files:
        if parts.scheme != "amqps":
            raise ConfigurationError(f"{where}: only amqps:// takes {', '.join(files)}.")
        parameters.ssl_options = pika.SSLOptions(tls.context(files, where))
    if parts.path == "//":
        parameters.virtual_host = "/"
    for seconds in (parameters.socket_timeout, parameters.stack_timeout, parameters.blocked_connection_timeout):
        if seconds is not None and not math.isfinite(seconds):
            raise ValueError
    return parameters


def labelled(parameters: pika.URLParameters, label: str) -> pika.URLParameters:
    """Return the parameters of a connection that shows a label in RabbitMQ's list."""
    own = copy.copy(parameters)
    own.client_properties = {"connection_name": f"growbin-jobs {label}", "product": "growbin-jobs"}
    return own


def within(servers: Iterable[pika.URLParameters], seconds: float) -> list[pika.URLParameters]:
    """Return the parameters of connections that give up so many seconds after a server stops answering."""
    limited = [copy.copy(server) for server in servers]
    for server in limited:
        server.socket_timeout = server.stack_timeout = server.blocked_connection_timeout = seconds
    return limited


def shown(server: pika.URLParameters) -> str:
    """Return a server's address and its user, for people."""
    return f"{server.credentials.username}@{bracketed(server.host)}:{server.port} vhost {server.virtual_host!r}"
