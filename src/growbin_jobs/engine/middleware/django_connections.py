"""Closes Django's database connections between messages, as Django itself does between requests."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware


class DjangoConnections(Middleware):
    """For actors that use Django's ORM: ``engine.add_middleware(DjangoConnections())``.

    Django keeps a connection for each thread and looks at it where a request begins and ends. A worker has no requests:
    a connection that its server has closed would fail all messages of its thread from then on.
    """

    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Close what is broken or older than ``CONN_MAX_AGE``; nothing inside a transaction, such as a test's."""
        _close_old()

    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """As before it, so that an idle thread holds no connection that is too old."""
        _close_old()

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """As after a run: who skips a message may have asked Django's database."""
        _close_old()


def _close_old() -> None:
    import_module("django.db").close_old_connections()
