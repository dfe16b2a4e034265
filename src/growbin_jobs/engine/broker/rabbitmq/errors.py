"""What can go wrong between us and RabbitMQ, in Dramatiq's tree so that its workers know to try again."""

from collections.abc import Iterable

import pika
from dramatiq.errors import BrokerConnectionError
from pika.exceptions import (
    ChannelClosedByBroker,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from growbin_jobs.engine.errors import ConfigurationError


class RabbitError(BrokerConnectionError):
    """Root of what the network and RabbitMQ do to us."""

    def __init__(self, message: str) -> None:
        super().__init__(message)  # type: ignore[no-untyped-call]


class ConsumerClosed(RabbitError):
    """The consumer's channel is gone. Dramatiq makes a new one."""


class BrokerUnavailable(RabbitError):
    """RabbitMQ could not be reached in time. What was to be sent has not been sent."""


class NotConfirmed(RabbitError):
    """RabbitMQ did not confirm a message in time: it may or may not have arrived, once or more often."""


class BrokerRefused(RabbitError):
    """RabbitMQ answers, but refuses this user, this vhost or this operation. The message says what to check."""


class QueueMissing(RabbitError):
    """The queue is not there, although it was declared: somebody deletes it."""


class QueueMismatch(ConfigurationError):
    """The queue exists with other properties than this program declares. The message says how to mend it."""


def explain(reason: ChannelClosedByBroker) -> Exception:
    """Return RabbitMQ's reason for closing a channel as an error that says what to do."""
    text: str = reason.reply_text
    if reason.reply_code == 404:
        return QueueMissing(f"RabbitMQ: {text}.")
    if reason.reply_code == 406 and "inequivalent arg" in text:
        return QueueMismatch(
            f"RabbitMQ has a queue with other properties than this program declares ({text}). Set GROWBIN_QUEUE_TYPE "
            "to the type that it has. Or, to change its type: let the workers empty it, delete it together with its "
            ".XQ and growbin.delay.v1.XQ, and start again."
        )
    if reason.reply_code == 403:
        return BrokerRefused(
            f"RabbitMQ: {text}. Give the user of GROWBIN_BROKER_URL the permissions configure, write and read on the "
            "queues, on amq.default and on growbin.delay.*"
        )
    return BrokerUnavailable(f"RabbitMQ closed the channel: {reason.reply_code} {text}.")


def is_refusal(error: BaseException) -> bool:
    """Return True when RabbitMQ has turned down the login or the vhost: waiting is no use."""
    # pika guesses these two from the moment of the loss; only the code tells a refusal from a server that goes down.
    guessed = isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError)
    return guessed and any(code in str(error) for code in ("(403)", "(530)"))


def refused(servers: Iterable[pika.URLParameters], refusal: BaseException) -> BrokerRefused:
    """Return a refusal as an error that says what to do, without the password."""
    places = ", ".join(f"{one.host}:{one.port} vhost {one.virtual_host!r}" for one in servers)
    return BrokerRefused(
        f"RabbitMQ refused the connection to {places}: {describe(refusal)}. Check user, password and vhost in "
        "GROWBIN_BROKER_URL."
    )


def describe(error: BaseException) -> str:
    """Return an error in words."""
    return str(error) or type(error).__name__
