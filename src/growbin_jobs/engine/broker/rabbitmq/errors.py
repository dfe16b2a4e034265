"""Translates errors of RabbitMQ and pika into errors of the broker that say what to do."""

from collections.abc import Sequence

import pika
from pika.adapters.utils.connection_workflow import AMQPConnectorAMQPHandshakeError, AMQPConnectorStackTimeout
from pika.exceptions import (
    ChannelClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from growbin_jobs.engine.broker.errors import BrokerRefused, BrokerUnavailable, QueueMismatch, QueueMissing
from growbin_jobs.engine.broker.rabbitmq import tls
from growbin_jobs.engine.broker.rabbitmq.servers import SETTING, setting_of, shown


def explain(reason: ChannelClosedByBroker, setting: str = SETTING) -> Exception:
    """Return RabbitMQ's reason for closing a channel as an error that says what to do.

    Parameters:
      setting: Name of the setting with the address of RabbitMQ.
    """
    text: str = reason.reply_text
    if reason.reply_code == 404:
        return QueueMissing(f"RabbitMQ: {text}.")
    if reason.reply_code == 406 and "inequivalent arg" in text:
        return QueueMismatch(
            f"RabbitMQ has a queue with other properties than this program declares ({text}). Set "
            f"{_queue_type_beside(setting)} to the type that it has. If another program has declared it, use a virtual "
            "host of your own, or another queue_name. Or, to change its type: let the workers empty it, delete it "
            "together with its .XQ and growbin.delay.v1.XQ, and start again."
        )
    if reason.reply_code == 403:
        return BrokerRefused(
            f"RabbitMQ: {text}. Give the user of {setting} the permissions configure, write and read on the "
            "queues, on amq.default and on growbin.delay.*."
        )
    return BrokerUnavailable(f"RabbitMQ closed the channel: {reason.reply_code} {text}.")


def _queue_type_beside(setting: str) -> str:
    """Return the name of the setting with the type of queues, from that of the address: both begin alike."""
    for address, queue_type in (("BROKER_URL", "QUEUE_TYPE"), ("broker_url", "queue_type")):
        if setting.endswith(address):
            return setting.removesuffix(address) + queue_type
    return "queue_type"


def is_refusal(error: BaseException) -> bool:
    """Return True when RabbitMQ has turned down the login or the vhost: waiting is no use."""
    # pika guesses these two from the moment of the loss; only the code tells a refusal from a server that goes down.
    guessed = isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError)
    return guessed and any(code in str(error) for code in ("(403)", "(530)"))


def refused(servers: Sequence[pika.URLParameters], refusal: BaseException) -> BrokerRefused:
    """Return a refusal as an error that says what to do, without the password."""
    places = ", ".join(shown(one) for one in servers)
    if "(530)" in str(refusal):
        why = "this user has no right to the virtual host, or there is none of that name"
    else:
        why = "wrong user or password"
    return BrokerRefused(
        f"RabbitMQ refused the connection to {places}: {why} ({describe(refusal)}). Check user, password and vhost in "
        f"{setting_of(servers)}; restart what runs after a change."
    )


def cause_of(failure: BaseException) -> BaseException:
    """Return the error that pika has wrapped for its list of attempts to connect."""
    cause: BaseException = getattr(failure, "exception", failure)
    return cause


def unreachable(failure: BaseException) -> str:
    """Return in words why an attempt to connect has failed."""
    cause = cause_of(failure)
    if isinstance(failure, AMQPConnectorStackTimeout | AMQPConnectorAMQPHandshakeError):
        if isinstance(cause, IncompatibleProtocolError):
            return "it accepts connections, but speaks no AMQP; perhaps TLS (amqps://)"
        return f"it accepts connections, but gives no answer of RabbitMQ ({type(cause).__name__})"
    return describe(cause)


def describe(error: BaseException) -> str:
    """Return an error of pika or the network in words."""
    return tls.explain(error) or str(error) or type(error).__name__
