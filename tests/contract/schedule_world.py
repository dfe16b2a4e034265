"""A schedule on a database whose clock stands still until it is told to go on; two jobs for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Cron, Every
from growbin_jobs.scheduler.claims import Claim
from growbin_jobs.scheduler.effects import DueTimes
from growbin_jobs.scheduler.jobs import Overlap, Period, RunAll, RunLatest, ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import LedgerRow

SEOUL, NEW_YORK = ZoneInfo("Asia/Seoul"), ZoneInfo("America/New_York")
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
ROUTE = Route("a", "q")

DAILY = ScheduledJob(
    name="daily", when=Cron("5 0 * * *"), route=ROUTE, period=Period.DAY, catch_up=RunAll(30, 60 * DAY)
)
CHECKS = ScheduledJob(
    name="checks", when=Every(600), route=ROUTE, catch_up=RunLatest(HOUR), overlap=Overlap.SKIP, max_run=2 * HOUR
)


@dataclass
class ScheduleWorld:
    """A database whose clock stands still until it is told to go on."""

    database: Database
    now: datetime = datetime(2026, 11, 28, 3, 0, 37, tzinfo=UTC)
    zone: ZoneInfo = SEOUL
    sent: list[Claim] = field(default_factory=list)

    def clock(self, _connection: Any) -> datetime:
        return self.now

    def ledger(self, process: str = "a") -> Ledger:
        return Ledger(self.database, process, clock=self.clock)

    def due_times(self) -> DueTimes:
        return DueTimes(self.database, clock=self.clock)

    def register(self, *jobs: ScheduledJob) -> list[Any]:
        return self.ledger().registry.register(jobs, self.zone)

    def look(self, *jobs: ScheduledJob, send: bool = True, process: str = "a") -> list[Claim]:
        """One look of a scheduler; returns what it claimed, and sends it."""
        ledger = self.ledger(process)
        claims = [claim for job in jobs for claim in ledger.advance(job)]
        for claim in claims if send else ():
            self.sent.append(claim)
            ledger.sent(claim)
        return claims

    def work(self, *claims: Claim) -> int:
        """A worker runs messages; returns how many had an effect."""
        done = 0
        for claim in claims:
            with self.due_times().taking(claim.job, claim.due.isoformat()) as run:
                done += run is not None
        return done

    def rows(self, job: str) -> list[dict[str, Any]]:
        return self.database.rows(LedgerRow.select().where(LedgerRow.job == job).order_by(LedgerRow.due))

    def states(self, job: str) -> list[str]:
        return [row["state"] for row in self.rows(job)]
