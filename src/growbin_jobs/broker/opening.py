"""From settings to a broker."""

from dramatiq import Middleware
from dramatiq.broker import Broker

from growbin_jobs.settings import Settings


def open_broker(settings: Settings, middleware: list[Middleware]) -> Broker:
    """Return the broker that the settings name; it connects when it is first used.

    Parameters:
      settings: ``broker_url`` unset means the embedded broker.
      middleware: The ordered stack; it must be there before actors are declared.
    """
    if settings.broker_url is None:
        from growbin_jobs.broker.local import LocalBroker

        return LocalBroker(settings.local_broker_path, middleware=middleware)
    from growbin_jobs.broker.rabbitmq import RabbitBroker

    return RabbitBroker(
        url=settings.broker_url.get_secret_value(),
        middleware=middleware,
        queue_type=settings.queue_type,
        publisher_connections=settings.publisher_connections,
        publish_timeout=settings.publish_timeout,
    )
