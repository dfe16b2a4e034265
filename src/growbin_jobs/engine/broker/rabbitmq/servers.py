"""Which RabbitMQ servers to talk to."""

from __future__ import annotations

import copy

import pika

from growbin_jobs.engine.errors import ConfigurationError

#: Seconds after which a connection that an alarm of the broker blocks is given up. Long, because what lies in its
#: buffers still arrives when the alarm ends: each new connection would add a copy. Callers have their own timeouts.
BLOCKED_TIMEOUT = 300.0


def parse_urls(url: str) -> list[pika.URLParameters]:
    """Return connection parameters of one or more ``amqp://`` URLs, separated by ``;``.

    Raises:
      ConfigurationError: If one cannot be understood. The message does not repeat it, since it holds a password.
    """
    parameters = []
    for number, part in enumerate(filter(None, map(str.strip, url.split(";"))), start=1):
        try:
            one = _parsed(part)
        except Exception:
            raise ConfigurationError(
                f"GROWBIN_BROKER_URL: address {number} is no AMQP URL. Write amqp://user:password@host:5672/vhost, "
                "with special characters of user, password and vhost percent-encoded."
            ) from None
        one.connection_attempts = 1  # ManagedConnection tries again by itself
        if one.blocked_connection_timeout is None:
            one.blocked_connection_timeout = BLOCKED_TIMEOUT
        parameters.append(one)
    if not parameters:
        raise ConfigurationError("GROWBIN_BROKER_URL is empty.")
    return parameters


def _parsed(url: str) -> pika.URLParameters:
    if not url.startswith(("amqp://", "amqps://")):  # pika takes any other for amqp://
        raise ValueError
    return pika.URLParameters(url)


def labelled(parameters: pika.URLParameters, label: str) -> pika.URLParameters:
    """Return the parameters of a connection that shows a label in RabbitMQ's list."""
    own = copy.copy(parameters)
    own.client_properties = {"connection_name": f"growbin-jobs {label}", "product": "growbin-jobs"}
    return own
