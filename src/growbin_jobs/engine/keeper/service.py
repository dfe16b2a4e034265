"""The keeper at work: its jobs side by side, and its last duties."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from zoneinfo import ZoneInfo

from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.base import BaseTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.journal.tables.prune import Retention
from growbin_jobs.engine.journal_opening import open_journal
from growbin_jobs.engine.keeper.jobs import Checkpoint, Copy, Heartbeat, Job, Prune, Relay, Sweep
from growbin_jobs.engine.keeper.lifetime import LOOK, KeeperLifetime
from growbin_jobs.engine.keeper.undeliverable import Undeliverable
from growbin_jobs.engine.opening import open_broker
from growbin_jobs.engine.periodic.with_backoff import WithBackoff
from growbin_jobs.settings import Settings
from growbin_jobs.storage.spool_cleanup import ClearSpool
from growbin_jobs.wiring import central_database, object_store

logger = logging.getLogger(__name__)

#: sysexits.h: try again later. Something is left that exists on this node only.
EX_TEMPFAIL = 75

#: Seconds by which the clock may be set before all jobs are scheduled anew.
CLOCK_JUMP = 5.0

DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class PeriodicJob:
    """A job and when it is due. ``trigger`` makes a fresh one: a trigger remembers when the clock told it to begin."""

    name: str
    job: Job
    trigger: Callable[[], BaseTrigger]
    at_once: bool = False
    level: int = logging.DEBUG


class Keeper:
    """Serves one node.

    Parameters:
      settings: Of the node.
    """

    def __init__(self, settings: Settings) -> None:
        self.journal = open_journal(settings, "keeper")
        self.database = database = central_database(settings, upgraded=False)
        broker = open_broker(settings, [])
        workers = Workers(database)
        self.sync = Sync(self.journal, Tasks(database), batch=settings.sync_batch)
        self.relay = Relay(self.journal, broker.forward, settings.relay_after)
        self.heartbeat = Heartbeat(self.journal, self.sync, workers, settings.node_dir)
        self._zone = ZoneInfo(settings.timezone)
        self._final_seconds = settings.final_sync_timeout
        retention = Retention(tasks=settings.keep_tasks_days * DAY, dead_letters=settings.keep_dead_letters_days * DAY)
        prune = Prune(self.journal, retention, workers)
        # Not while a message may still be put off and need its picture, however short dead letters are kept.
        unused_after = max(retention.dead_letters, settings.deferral_max_age + DAY)
        spool = ClearSpool(partial(object_store, settings), unused_after)
        every = settings.sync_interval
        self._duties = (
            PeriodicJob("copy", Copy(self.sync), lambda: self._each(seconds=every), at_once=True),
            PeriodicJob("sweep", Sweep(self.sync), lambda: self._each(minutes=5)),
            PeriodicJob("relay", self.relay, lambda: self._each(seconds=5), at_once=True, level=logging.INFO),
            PeriodicJob("heartbeat", self.heartbeat, lambda: self._each(seconds=10), at_once=True),
            PeriodicJob("checkpoint", Checkpoint(self.journal), lambda: self._each(hours=1)),
            PeriodicJob("prune", prune, self._daily, level=logging.INFO),
            PeriodicJob("spool", spool, self._daily, level=logging.INFO),
            *self._of_rabbitmq(settings),
        )

    def _of_rabbitmq(self, settings: Settings) -> Iterator[PeriodicJob]:
        if settings.broker_url is None:  # the embedded broker keeps delayed messages in their own queue
            return
        from growbin_jobs.engine.broker.rabbitmq.undeliverable import collect

        job = Undeliverable(self.journal, partial(collect, settings.broker_url.get_secret_value(), settings.queue_type))
        yield PeriodicJob("undeliverable", job, lambda: self._each(minutes=1), at_once=True, level=logging.INFO)

    def serve(self, term: KeeperLifetime) -> int:
        """Work until the term is over; return the exit code.

        Returns:
          0, or 75 where something is left that exists on this node only.
        """
        scheduler = self._scheduler()
        logger.info("keeper.serving node=%s database=%s", self.journal.node, self.database.address)
        drift = _drift()
        while not term.is_over():
            term.wait(LOOK)
            if abs(_drift() - drift) > CLOCK_JUMP:
                drift = _drift()
                logger.warning("keeper.clock_was_set all jobs are scheduled anew")
                self._schedule(scheduler)
        scheduler.pause()
        if term.others_work():
            logger.info("keeper.hands_over node=%s", self.journal.node)
            return 0
        return self._finish(term)

    def _scheduler(self) -> BackgroundScheduler:
        # A job that is still running is not started again, a run that comes late is not skipped, several that were
        # missed are one.
        scheduler = BackgroundScheduler(
            timezone=self._zone,
            executors={"default": ThreadPoolExecutor(len(self._duties))},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1},
        )
        self._schedule(scheduler)
        scheduler.start()
        return scheduler

    def _schedule(self, scheduler: BackgroundScheduler) -> None:
        for duty in self._duties:
            first = {"next_run_time": datetime.now(self._zone)} if duty.at_once else {}
            run = WithBackoff(duty.name, duty.job, level=duty.level)
            scheduler.add_job(run, duty.trigger(), id=duty.name, replace_existing=True, **first)

    def _each(self, **interval: float) -> BaseTrigger:
        return IntervalTrigger(timezone=self._zone, **interval)

    def _daily(self) -> BaseTrigger:
        return CronTrigger(hour=0, minute=0, timezone=self._zone)

    def _finish(self, term: KeeperLifetime) -> int:
        """The last duties: what is left is copied and sent, as far as that is possible in time."""
        end = time.monotonic() + self._final_seconds
        # Each in a thread of its own, since nothing can interrupt one that waits for a server.
        duties = [threading.Thread(target=self._copy_all, args=(end,), daemon=True)]
        duties.append(threading.Thread(target=_quietly, args=(lambda: self.relay.send(0.0),), daemon=True))
        _join(duties, end, term)
        unsynced, owed = self._left()
        report = threading.Thread(target=_quietly, args=(self.heartbeat.run_once,), daemon=True)
        _join([report], max(end, time.monotonic() + 1.0), term)
        if unsynced or owed:
            logger.error("keeper.left_behind node=%s rows=%s messages=%s", self.journal.node, unsynced, owed)
            return EX_TEMPFAIL
        logger.info("keeper.done node=%s", self.journal.node)
        return 0

    def _copy_all(self, end: float) -> None:
        while time.monotonic() < end:
            try:
                if not self.sync.run_once().behind:
                    return
            except Deferred as error:
                logger.warning("keeper.last_copy_waits error=%s", error)
                time.sleep(0.5)

    def _left(self) -> tuple[int, int]:
        try:
            return self.sync.backlog().rows, self.journal.backlog()
        except Deferred as error:
            logger.warning("keeper.journal_away error=%s", error)
            return 1, 0


def _join(threads: list[threading.Thread], end: float, term: KeeperLifetime) -> None:
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end and not term.hurried:
        for thread in threads:
            thread.join(0.02)


def _quietly(call: Callable[[], object]) -> None:
    WithBackoff("last", _Call(call))()


@dataclass(frozen=True, slots=True)
class _Call:
    run_once: Callable[[], object]


def _drift() -> float:
    return time.time() - time.monotonic()
