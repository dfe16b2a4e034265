"""From settings to a broker."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from dramatiq import Middleware
from dramatiq.errors import BrokerConnectionError
from pydantic import SecretStr

from growbin_jobs.engine.addresses import without_password
from growbin_jobs.engine.errors import ConfigurationError
from growbin_jobs.settings import Settings

if TYPE_CHECKING:
    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.journal.journal import Journal

#: Seconds that a check waits for a server.
_CHECK_TIMEOUT = 5


def open_broker(
    settings: Settings, middleware: list[Middleware], *, journal: "Callable[[], Journal] | None" = None
) -> "EmbeddedBroker | RabbitBroker":
    """Return the broker that the settings name; it connects when it is first used.

    Parameters:
      settings: ``broker_url`` unset means the embedded broker.
      middleware: The ordered stack; it must be there before actors are declared.
      journal: Returns the process's journal, for what cannot be sent to RabbitMQ for now; None: sending fails then.
    """
    if settings.broker_url is None:
        from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

        return EmbeddedBroker(settings.embedded_broker_path, middleware=middleware)
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker
    from growbin_jobs.engine.forwarding.forwarder import StoreAndForward

    keeping = None
    if journal is not None and settings.send_patience > 0:
        keeping = StoreAndForward(journal, settings.journal_path, settings.send_patience)
    return RabbitBroker(
        url=settings.broker_url.get_secret_value(),
        middleware=middleware,
        queue_type=settings.queue_type,
        publisher_connections=settings.publisher_connections,
        publish_timeout=settings.publish_timeout,
        keeping=keeping,
    )


def check_broker(settings: Settings) -> str:
    """Try the broker, for ``growbin-jobs doctor``, and return where it is.

    Raises:
      ConfigurationError: With what is wrong and how to mend it.
    """
    return _check_rabbitmq(settings.broker_url) if settings.broker_url else _check_local(settings)


def _check_local(settings: Settings) -> str:
    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker

    path = settings.embedded_broker_path
    broker = EmbeddedBroker(path, middleware=[])
    try:
        waiting = sum(depth.ready for depth in broker.depths().values())
    except BrokerConnectionError as error:
        raise ConfigurationError(f"The embedded broker's file {path} cannot be used: {error}") from None
    finally:
        broker.close()
    return f"embedded, {path}, {waiting} messages ready"


def _check_rabbitmq(url: SecretStr) -> str:
    import pika
    from pika.exceptions import AMQPError, ProbableAccessDeniedError, ProbableAuthenticationError

    found, problems = [], []
    for part in url.get_secret_value().split(";"):
        shown = without_password(part)
        parameters = pika.URLParameters(part)
        parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _CHECK_TIMEOUT
        parameters.connection_attempts = 1
        try:
            pika.BlockingConnection(parameters).close()
        except ProbableAuthenticationError:
            problems.append(f"{shown}: wrong user or password")
        except ProbableAccessDeniedError:
            problems.append(f"{shown}: this user has no right to the virtual host, or there is none of that name")
        except (AMQPError, OSError) as error:
            problems.append(f"{shown}: cannot be reached ({type(error).__name__})")
        else:
            found.append(shown)
    if not found:
        raise ConfigurationError("; ".join(problems) + ". Check GROWBIN_BROKER_URL and whether RabbitMQ runs.")
    return "RabbitMQ at " + ", ".join(found) + "".join(f" (but {problem})" for problem in problems)
