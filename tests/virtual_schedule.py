"""The whole table of the schedule in virtual time: schedulers that are killed and disagree, workers that die.

The database's clock is the only one that counts, and it is set by hand: a year takes as long as its transactions.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.errors import Deferred
from growbin_jobs.scheduler.claims import Claim
from growbin_jobs.scheduler.effects import DueTimes
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.verify import Finding, verify

#: Four of them set their clocks oddly: by half an hour, at midnight, for a month of the year, by two hours.
ZONES = (
    "Asia/Seoul", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Africa/Casablanca", "Antarctica/Troll",
)  # fmt: skip

MINUTE = timedelta(minutes=1)


@dataclass
class VirtualSchedule:
    """Two schedulers and workers on one database.

    Attributes:
      jobs: The table.
      now: What the database's clock shows.
      chaos: Share of steps at which a process dies.
      effects: Of each job and due time.
    """

    database: Database
    jobs: Sequence[ScheduledJob]
    zone: ZoneInfo
    now: datetime
    chaos: float = 0.1
    random: random.Random = field(default_factory=lambda: random.Random(1))
    effects: Counter[tuple[str, datetime]] = field(default_factory=Counter)
    deliveries: int = 0
    _queue: list[Claim] = field(default_factory=list)

    def clock(self, _connection: Any) -> datetime:
        return self.now

    def run(self, until: datetime) -> int:
        """Let all due times come; return how many there were."""
        ledgers = [Ledger(self.database, name, clock=self.clock) for name in ("a", "b")]
        ledgers[0].registry.register(self.jobs, self.zone)
        began, rules = self.now, [(job.when, self.zone) for job in self.jobs]
        dues = Counter(due for when, zone in rules for due in due_between(when, zone, began, until))
        for due in sorted(dues):
            self.now = max(self.now, due)
            self._step(self.random.choice(ledgers))
            while self._queue or self._open(ledgers[0]):
                self.now += 21 * timedelta(seconds=1)  # past the lease of whoever died
                self._step(self.random.choice(ledgers))
        self.now = max(self.now, until)
        return sum(dues.values())

    def findings(self, since: datetime, until: datetime) -> list[Finding]:
        """Return what the second algorithm finds wrong."""
        return verify(self.database, since, until, clock=self.clock).findings

    def _open(self, ledger: Ledger) -> bool:
        return len(ledger.idle(self.jobs)) < len(self.jobs)

    def _step(self, ledger: Ledger) -> None:
        idle = ledger.idle(self.jobs)
        for job in self.jobs:
            for claim in ledger.advance(job) if job.name not in idle else ():
                fate = self.random.random()
                if fate < self.chaos:
                    continue  # killed before it sends
                self._queue.append(claim)
                if fate > 2 * self.chaos:  # else killed before it notes that
                    ledger.sent(claim)
        self._work()

    def _work(self) -> None:
        due_times, queue, self._queue = DueTimes(self.database, clock=self.clock), self._queue, []
        for claim in queue:
            self.deliveries += 1
            try:
                run = due_times.take(claim.job, claim.due)
            except Deferred:  # another delivery has it
                self._queue.append(claim)
                continue
            if run is None:
                continue
            if self.random.random() < self.chaos:
                self.now += 61 * timedelta(seconds=1)  # the worker died: its lease ends, the broker delivers again
                self._queue.append(claim)
                continue
            run.commit(lambda _, key=(claim.job, claim.due): self.effects.update([key]))
            if self.random.random() < self.chaos:
                self._queue.append(claim)  # it died before the acknowledgement
