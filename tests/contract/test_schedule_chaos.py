"""Schedulers and workers that die, pause and are overtaken at random: as many effects as due times."""

from __future__ import annotations

import os
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.errors import Deferred
from growbin_jobs.scheduler.claims import Claim
from growbin_jobs.scheduler.effects import DueTimes, Overtaken, Run
from growbin_jobs.scheduler.jobs import Overlap, RunAll, ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import LedgerRow
from growbin_jobs.scheduler.verify import verify

JOB = ScheduledJob(
    name="minutes",
    when=Every(60),
    route=Route("a", "q"),
    catch_up=RunAll(100_000, timedelta(days=60), timedelta(0)),
    overlap=Overlap.ALLOW,
    max_run=timedelta(days=60),
    done_within=timedelta(days=60),
)

#: Due times of one run.
DUE_TIMES = int(os.environ.get("GROWBIN_TEST_DUE_TIMES", "100"))


class Chaos:
    """Two schedulers, a broker that delivers each message once or twice, and workers. Each step may be their last."""

    def __init__(self, database: Database, seed: int) -> None:
        self.random = random.Random(seed)
        self.database = database
        self.now = datetime(2026, 11, 28, tzinfo=UTC)
        self.began = self.now
        self.ledgers = [Ledger(database, name, clock=self.clock) for name in ("a", "b")]
        self.due_times = DueTimes(database, clock=self.clock)
        self.queue: list[Claim] = []
        self.paused: list[tuple[Ledger, Claim]] = []  # claimed, and stopped before sending
        self.frozen: list[tuple[Run, datetime]] = []  # taken, and stopped before committing
        self.effects: Counter[datetime] = Counter()
        self.deliveries = 0

    def clock(self, _connection: Any) -> datetime:
        return self.now

    def schedule(self) -> None:
        ledger = self.random.choice(self.ledgers)
        for claim in ledger.advance(JOB):
            fate = self.random.random()
            if fate < 0.1:
                continue  # killed after the claim
            if fate < 0.2:
                self.paused.append((ledger, claim))
                continue
            self.queue.append(claim)
            if fate > 0.3:  # else killed before the note
                ledger.sent(claim)

    def wake(self) -> None:
        for ledger, claim in self.paused:
            self.queue.append(claim)
            ledger.sent(claim)
        self.paused.clear()
        for run, due in self.frozen:
            try:
                run.commit(lambda _, due=due: self.effects.update([due]))
            except Overtaken:
                continue
        self.frozen.clear()

    def work(self, fate: float | None = None) -> None:
        again = []
        for claim in self.queue:
            self.deliveries += 1
            dice = self.random.random() if fate is None else fate
            try:
                run = self.due_times.take(claim.job, claim.due)
            except Deferred:
                again.append(claim)
                continue
            if run is None:
                continue
            if dice < 0.1:
                again.append(claim)  # killed: the broker delivers it again, its lease has to end first
            elif dice < 0.2:
                self.frozen.append((run, claim.due))
                again.append(claim)
            else:
                run.commit(lambda _, due=claim.due: self.effects.update([due]))
                again += [claim] * (dice > 0.9)
        self.queue = again


@pytest.mark.parametrize("seed", [1])
def test_there_are_as_many_effects_as_due_times(schedule_database: Database, seed: int) -> None:
    database = schedule_database
    chaos = Chaos(database, seed)
    chaos.ledgers[0].registry.register([JOB], ZoneInfo("Asia/Seoul"))
    end = chaos.now + timedelta(minutes=DUE_TIMES)
    while chaos.now < end:
        chaos.now = min(end, chaos.now + timedelta(minutes=chaos.random.randint(1, 20)))
        chaos.schedule()
        chaos.work()
        if chaos.random.random() < 0.3:
            chaos.wake()

    for _ in range(5):  # everybody is well again
        chaos.now += timedelta(minutes=1)
        chaos.wake()
        chaos.work(fate=0.5)
        for claim in chaos.ledgers[1].advance(JOB):
            chaos.queue.append(claim)
            chaos.ledgers[1].sent(claim)
    chaos.now += timedelta(minutes=2)
    chaos.work(fate=0.5)

    dues = {chaos.began + timedelta(minutes=number) for number in range(1, DUE_TIMES + 1)}
    assert {due: chaos.effects[due] for due in dues} == dict.fromkeys(dues, 1)
    assert max(chaos.effects.values()) == 1
    assert chaos.deliveries > DUE_TIMES
    rows = database.rows(LedgerRow.select().where(LedgerRow.due <= end))
    assert {row["state"] for row in rows} == {"done"}
    assert verify(database, chaos.began, end, clock=chaos.clock).findings == []
