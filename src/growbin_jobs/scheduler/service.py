"""A scheduler: APScheduler wakes it, the ledger decides. Any number of them may run."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from zoneinfo import ZoneInfo

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.keeper.schema_upgrade import SchemaUpgrade
from growbin_jobs.engine.node.repeated_signals import is_kept_from_hangups
from growbin_jobs.engine.opening import open_broker, open_central
from growbin_jobs.engine.periodic.cron import Every
from growbin_jobs.engine.periodic.due import When, due_between
from growbin_jobs.engine.periodic.runner import Runner
from growbin_jobs.engine.periodic.timetable import PeriodicJob
from growbin_jobs.errors import Deferred
from growbin_jobs.scheduler.jobs import ScheduledJob
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.ping import Ping
from growbin_jobs.scheduler.presence import Presence, overdue_seconds
from growbin_jobs.scheduler.retention import KEEP, Forget
from growbin_jobs.scheduler.tick import Tick

logger = logging.getLogger(__name__)

#: Longest sleep: what waits for another job, or was claimed by a scheduler that died, is looked at so often.
LONGEST_SLEEP: Final = timedelta(seconds=5)

#: Seconds without a look after which the scheduler ends itself, to be started anew: its timer has died.
DEAD_AFTER: Final = 120.0

#: Seconds between two checks of the clock and of the timer.
WATCH: Final = 1.0

#: Seconds that a look may still take when the scheduler is told to stop.
LAST_LOOK: Final = 5.0


@dataclass(frozen=True, slots=True)
class Soonest:
    """A rule for the timer: the next due time of any job, and no longer than the longest sleep."""

    jobs: Sequence[ScheduledJob]

    def times_after(self, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield when to wake."""
        while True:
            after = self.next_after(after, zone)
            yield after

    def next_after(self, after: datetime, zone: ZoneInfo) -> datetime:
        """Return when to wake next."""
        latest = after + LONGEST_SLEEP
        return min((due for job in self.jobs for due in _first(job.when, zone, after, latest)), default=latest)


def _first(when: When, zone: ZoneInfo, after: datetime, until: datetime) -> list[datetime]:
    return [due for due, _ in zip(due_between(when, zone, after, until), range(1), strict=False)]


class Scheduler:
    """One scheduler process.

    Parameters:
      config: Of this node.
      jobs: Those that are fired once for the whole cluster.
      ping_url: Of an outside watcher; None: none.
      keep: How long settled due times are kept.
    """

    def __init__(
        self,
        config: EngineConfig,
        jobs: Sequence[ScheduledJob],
        *,
        ping_url: str | None = None,
        keep: timedelta = KEEP,
    ) -> None:
        self.config = config
        self.database: Database = open_central(config)
        # Nothing is kept in a journal here: a message counts as sent when the broker has it.
        self.broker = open_broker(config, [])
        # No host name: two containers may share one (oban-py#32).
        self.process = f"{config.node}/{os.getpid()}/{uuid.uuid4().hex[:12]}"
        zone = ZoneInfo(config.timezone)
        self.tick = Tick(jobs, Ledger(self.database, self.process), self.broker.enqueue, zone)
        if config.upgrades_database:
            self.tick.prepare = SchemaUpgrade(self.database, config.schema).run_once
        self.presence = Presence(self.database, self.process, config.node, config.version)
        periodic = [
            PeriodicJob("tick", self.tick, Soonest(jobs), at_once=True, level=logging.INFO),
            PeriodicJob("presence", self.presence, Every(10), at_once=True),
            PeriodicJob("forget", Forget(self.database, keep), Every(3600), level=logging.INFO),
        ]
        if ping_url is not None:
            overdue = partial(overdue_seconds, self.database)
            periodic.append(PeriodicJob("ping", Ping(ping_url, overdue), Every(60), at_once=True))
        self._runner = Runner(periodic, zone, owner="scheduler")
        self._stop = threading.Event()

    def listen(self) -> None:
        """Stop at SIGTERM, SIGINT and SIGHUP."""
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            if not is_kept_from_hangups(signum):
                signal.signal(signum, self._told)

    def serve(self) -> int:
        """Fire what is due until it is told to stop; return the exit code."""
        with suppress(Deferred):  # else the first look does it
            self.tick.prepare()
        self._runner.start()
        logger.info("scheduler.serving process=%s database=%s", self.process, self.database.address)
        while not self._stop.wait(WATCH):
            self._runner.check_clock()
            if time.monotonic() - self.tick.looked_at > DEAD_AFTER:
                logger.critical("scheduler.timer_died seconds=%.0f: ends, to be started anew", DEAD_AFTER)
                return os.EX_SOFTWARE
        self._runner.end(LAST_LOOK)  # what is claimed and not sent would wait for the end of its lease
        with suppress(Deferred):
            self.presence.leave()
        logger.info("scheduler.done process=%s", self.process)
        return 0

    def stop(self) -> None:
        """Let :meth:`serve` return."""
        self._stop.set()

    def _told(self, _signum: int, _frame: Any) -> None:
        self._stop.set()
