"""The keeper's job with alerts: watches the rules now and then, and sends what is due."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from growbin_jobs.alerts.sending import SendWebhooks
from growbin_jobs.alerts.watching import Watch
from growbin_jobs.engine.periodic.timetable import Changes

#: Seconds between two looks at the rules.
LOOK: Final = 10.0


@dataclass(slots=True)
class Alerts:
    """A periodic job of every keeper; which one watches and who sends a message, the database says.

    Attributes:
      clock: Seconds that never go back.
      changes: Those that decide whether this is run; None: it always is.
    """

    watch: Watch
    send: SendWebhooks
    clock: Callable[[], float] = time.monotonic
    changes: Changes | None = None
    _looked_at: float = field(default=float("-inf"), init=False)

    def run_once(self) -> dict[str, int]:
        """Do both once; return how many messages were written, delivered, and could not be.

        Raises:
          Deferred: The database is away.
        """
        done = {}
        if self.clock() - self._looked_at >= LOOK:
            self._looked_at = self.clock()
            done = self.watch.run_once()
        done |= self.send.run_once()
        if self.changes is not None and self.send.any_waiting():  # nobody writes when it is due
            self.changes.forget()
        return done
