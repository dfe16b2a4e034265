"""One look of a scheduler at the clock: plan, claim, send."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dramatiq import Message
from dramatiq.errors import BrokerConnectionError

from growbin_jobs.engine.crashpoints import crashpoint
from growbin_jobs.errors import Deferred
from growbin_jobs.scheduler.claims import LEASE
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.sending import message_of

logger = logging.getLogger(__name__)

#: Seconds by which this machine's clock may differ from the database's before that is said.
CLOCK_DIFFERENCE = 5.0


@dataclass(slots=True)
class Tick:
    """What the timer calls: does all that is due, and nothing that is not.

    Attributes:
      jobs: The table.
      send: Hands a message to the broker; returns once that has it.
      zone: Of the table, which is registered before the first look.
      prepare: Called before the first look, until it succeeds: it brings the database to its schema.
      host_clock: This machine's clock, compared with the database's; it decides nothing.
      looked_at: Monotonic time of the last look that came to an end, whatever its result.
    """

    jobs: Sequence[ScheduledJob]
    ledger: Ledger
    send: Callable[[Message[Any]], object]
    zone: ZoneInfo
    prepare: Callable[[], object] = str
    host_clock: Callable[[], float] = time.time
    looked_at: float = field(default_factory=time.monotonic)
    _registered: bool = field(default=False, init=False)
    _differs: bool = field(default=False, init=False)

    def run_once(self) -> dict[str, int]:
        """Look once.

        Returns:
          How many messages were sent, by job.

        Raises:
          Deferred: The database is away: nothing is sent that it does not know of.
          BrokerConnectionError: The broker is away: what was claimed stays so, and the next one to send it is late.
        """
        try:
            return self._look()
        finally:
            self.looked_at = time.monotonic()

    def _look(self) -> dict[str, int]:
        if not self._registered:
            self.prepare()
            for change in self.ledger.registry.register(self.jobs, self.zone):
                logger.info("scheduler.registered job=%s change=%s rule=%s", change.job, change.kind, change.after)
            self._registered = True
        self._compare_clocks()
        idle = self.ledger.idle(self.jobs)
        sent: dict[str, int] = {}
        failure: Exception | None = None
        for job in self.jobs:
            if job.route is None or job.name in idle:
                continue
            try:
                if number := self._send_due(job):
                    sent[job.name] = number
            except (Deferred, BrokerConnectionError) as error:  # one queue may refuse what others take
                failure = error
        if failure is not None:
            raise failure
        return sent

    def _send_due(self, job: ScheduledJob) -> int:
        claims = self.ledger.advance(job)
        assert job.route is not None
        end = time.monotonic() + LEASE.total_seconds()
        sent = 0
        for claim in claims:
            if time.monotonic() >= end:  # another one may send the rest by now
                break
            crashpoint("schedule.claimed")
            self.send(message_of(claim, job.route))
            crashpoint("schedule.sent")
            if not self.ledger.sent(claim):
                logger.warning("scheduler.overtaken job=%s due=%s", claim.job, claim.due.isoformat())
            crashpoint("schedule.noted")
            sent += 1
        return sent

    def _compare_clocks(self) -> None:
        """Say once that this machine's clock differs from the one that decides."""
        difference = self.host_clock() - self.ledger.now().timestamp()
        differs = abs(difference) > CLOCK_DIFFERENCE
        if differs and not self._differs:
            logger.warning(
                "scheduler.clock_differs seconds=%.1f here=%s: the database's clock decides; set this machine's right",
                difference,
                datetime.fromtimestamp(self.host_clock(), UTC).isoformat(timespec="seconds"),
            )
        self._differs = differs
