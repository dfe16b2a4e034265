"""What can go wrong between a process and its broker, in Dramatiq's tree so that its workers know to try again."""

from typing import Final

from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.errors import ConfigurationError

#: What the brokers of this package raise while they are away, the embedded one too. The texts are ours: no password.
AWAY: Final = BrokerConnectionError


class BrokerError(BrokerConnectionError):
    """Root of what can go wrong between a process and its broker."""

    def __init__(self, message: str) -> None:
        super().__init__(message)  # type: ignore[no-untyped-call]


class ConsumerClosed(BrokerError):
    """The consumer's channel is gone. Dramatiq makes a new one."""


class BrokerUnavailable(BrokerError):
    """RabbitMQ could not be reached in time. What was to be sent has not been sent."""


class NotConfirmed(BrokerError):
    """RabbitMQ did not confirm a message in time: it may or may not have arrived, once or more often."""


class BrokerRefused(BrokerError):
    """RabbitMQ answers, but refuses this user, this vhost or this operation. The message says what to check."""


class QueueMissing(BrokerError):
    """The queue is not there, although it was declared: somebody deletes it."""


class QueueMismatch(ConfigurationError):
    """The queue exists with other properties than this program declares. The message says how to mend it."""
