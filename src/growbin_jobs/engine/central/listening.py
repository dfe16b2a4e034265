"""Hears what other processes tell through PostgreSQL (LISTEN), on a connection of its own. Not in a gevent process."""

from __future__ import annotations

import select
from contextlib import suppress
from typing import Any

from psycopg2 import extensions


class Listener:
    """Listens on one channel.

    Parameters:
      connection: Of psycopg2; it belongs to this object from now on.
      channel: A name of letters and ``_``.

    Raises:
      psycopg2.Error: If the connection is gone.
    """

    def __init__(self, connection: Any, channel: str) -> None:
        self._connection = connection
        connection.set_isolation_level(extensions.ISOLATION_LEVEL_AUTOCOMMIT)
        with connection.cursor() as cursor:
            cursor.execute(f'LISTEN "{channel}"')

    def wait(self, seconds: float) -> bool:
        """Wait until something is told.

        Parameters:
          seconds: At most so long.

        Returns:
          False if nothing was.

        Raises:
          OSError, psycopg2.Error: The connection is gone: nothing more will be heard on it.
        """
        if not self._connection.notifies:
            poll = select.poll()  # select() takes no number above 1023
            poll.register(self._connection.fileno(), select.POLLIN)
            poll.poll(max(0.0, seconds) * 1000)
            self._connection.poll()
        told = bool(self._connection.notifies)
        self._connection.notifies.clear()
        return told

    def close(self) -> None:
        """Close its connection; never raises."""
        with suppress(Exception):
            self._connection.close()
