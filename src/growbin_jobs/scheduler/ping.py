"""The dead man's switch: tells an outside watcher that the schedule is alive. When that hears nothing, it alarms."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from urllib.error import URLError
from urllib.request import Request, urlopen

logger = logging.getLogger(__name__)

#: Seconds that the watcher has to answer.
TIMEOUT = 10.0


@dataclass(slots=True)
class Ping:
    """Ask for an address while nothing is overdue; a job of the scheduler's timer.

    Any number of schedulers may do so: the watcher only needs to hear one.

    Attributes:
      url: Of the watcher, such as a check of healthchecks.io. It holds a secret and is never logged.
      overdue: Returns since how many seconds something that is due waits.
      limit: While that is more, nothing is sent: the watcher is to alarm.
    """

    url: str
    overdue: Callable[[], float]
    limit: float = 120.0

    def run_once(self) -> bool:
        """Return True where the watcher was told.

        Raises:
          Deferred: The database is away; nothing is sent either.
        """
        late = self.overdue()
        if late > self.limit:
            logger.error("scheduler.overdue seconds=%.0f: no ping is sent", late)
            return False
        try:
            with urlopen(Request(self.url, method="GET"), timeout=TIMEOUT) as answer:  # noqa: S310 checked in settings
                return bool(200 <= answer.status < 300)
        except (URLError, TimeoutError, OSError) as error:
            logger.warning("scheduler.ping_failed error=%s", type(error).__name__)
            return False
