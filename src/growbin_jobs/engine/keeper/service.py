"""Runs a keeper: its timetable, and what it finishes before it exits."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from growbin_jobs.engine import events
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.dead_letters import DeadLetters
from growbin_jobs.engine.central.lost import Lost
from growbin_jobs.engine.central.minutes import Minutes
from growbin_jobs.engine.central.queue_minutes import QueueMinutes
from growbin_jobs.engine.central.reruns import Reruns
from growbin_jobs.engine.central.sync import Sync
from growbin_jobs.engine.central.tasks import Tasks
from growbin_jobs.engine.central.workers import Workers
from growbin_jobs.engine.config import EngineConfig
from growbin_jobs.engine.control.file import ControlFile
from growbin_jobs.engine.control.mirror import UNTOLD, Mirror
from growbin_jobs.engine.control.table import Control
from growbin_jobs.engine.errors import Deferred
from growbin_jobs.engine.journal.tables.prune import Retention
from growbin_jobs.engine.keeper.bulk import WorkBulk
from growbin_jobs.engine.keeper.embedded_dead_letters import TidyDeadLetters
from growbin_jobs.engine.keeper.heartbeat import Heartbeat
from growbin_jobs.engine.keeper.jobs import Checkpoint, Copy, ForgetControl, Prune, Sweep
from growbin_jobs.engine.keeper.lifetime import KeeperLifetime
from growbin_jobs.engine.keeper.minutes import ComputeMinutes, ForgetOld, NoteLacking, SampleQueues
from growbin_jobs.engine.keeper.schema_upgrade import SchemaUpgrade
from growbin_jobs.engine.keeper.send_outbox import SendOutbox
from growbin_jobs.engine.keeper.send_reruns import SendReruns
from growbin_jobs.engine.keeper.taken_letters import TakenLetters
from growbin_jobs.engine.keeper.tell_waiting import TellWaiting
from growbin_jobs.engine.keeper.undeliverable import Undeliverable
from growbin_jobs.engine.keeper.unrecorded import Unrecorded
from growbin_jobs.engine.middleware.observation import begin, end
from growbin_jobs.engine.node.presence import present
from growbin_jobs.engine.opening import open_broker, open_central, open_journal
from growbin_jobs.engine.periodic.runner import Runner
from growbin_jobs.engine.periodic.timetable import Daily, Every, PeriodicJob
from growbin_jobs.engine.periodic.with_backoff import WithBackoff
from growbin_jobs.engine.sqlite.file_changes import FileChanges
from growbin_jobs.engine.task_progress.copying import CopyProgress, ForgetProgress
from growbin_jobs.engine.task_progress.files import FOLDER as PROGRESS
from growbin_jobs.engine.task_progress.table import TaskProgress

if TYPE_CHECKING:
    from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
    from growbin_jobs.engine.broker.rabbitmq.broker import RabbitBroker

logger = logging.getLogger(__name__)

DAY = 86_400.0

#: Seconds within which what a task has sent has nearly always run where nothing waits.
QUICK = 1.0


class Keeper:
    """Serves one node.

    Parameters:
      config: Of the node.

    Attributes:
      config: The same.
      journal, database, sync, relay: What it works with.
    """

    def __init__(self, config: EngineConfig) -> None:
        self.config = config
        self.journal = open_journal(config, "keeper")
        self.database = database = open_central(config)
        broker = open_broker(config, [])
        workers = Workers(database)
        self.sync = Sync(self.journal, Tasks(database), batch=config.sync_batch, patience=QUICK)
        self.relay = SendOutbox(self.journal, broker.forward, config.relay_after)
        self.heartbeat = Heartbeat(self.journal, self.sync, workers, config.node_dir)
        self._zone = ZoneInfo(config.timezone)
        self._final_seconds = config.final_sync_timeout
        retention = Retention(tasks=config.keep_tasks_days * DAY, dead_letters=config.keep_dead_letters_days * DAY)
        prune = Prune(self.journal, retention, workers, _forget_old(config, database))
        progress, said = TaskProgress(database), FileChanges(config.node_dir / PROGRESS)
        self._mirror = Mirror(Control(database), ControlFile(config.node_dir))
        self._upgrade = SchemaUpgrade(database, config.schema) if config.upgrades_database else None
        written = FileChanges.of_database(self.journal.path)
        self._jobs = (
            PeriodicJob("copy", Copy(self.sync), Every(config.sync_interval), at_once=True, changes=written),
            PeriodicJob("sweep", Sweep(self.sync), Every(300)),
            PeriodicJob("relay", self.relay, Every(5), at_once=True, level=logging.INFO),
            PeriodicJob("heartbeat", self.heartbeat, Every(10), at_once=True),
            PeriodicJob("checkpoint", Checkpoint(self.journal), Every(3600)),
            *self._of_people(config),
            *self._of_control(),
            PeriodicJob("minutes", ComputeMinutes(Minutes(database), _days(config.keep_tasks_days)), Every(15)),
            PeriodicJob("lacking_figures", NoteLacking(database), Daily(), level=logging.INFO),
            PeriodicJob("queue_minutes", self._sample_queues(config, broker), Every(20), at_once=True),
            PeriodicJob("prune", prune, Daily(), level=logging.INFO),
            PeriodicJob("progress", CopyProgress(config.node, config.node_dir, progress), Every(0.5), changes=said),
            PeriodicJob("old_progress", ForgetProgress(progress), Every(3600)),
            PeriodicJob("control", ForgetControl(Control(database)), Every(3600)),
            *self._of_schema(),
            *self._of_broker(config, broker),
            PeriodicJob(
                "unrecorded",
                Unrecorded(self.journal, broker, partial(_queues, config), config.keep_dead_letters_days * DAY),
                Every(60),
                at_once=True,
                level=logging.INFO,
            ),
            *(make(config) for make in config.periodic_jobs),
        )

    def _of_people(self, config: EngineConfig) -> Iterator[PeriodicJob]:
        """Yield the jobs that look in the central database for what people have asked for."""
        database, lost = self.database, Lost(self.database, embedded=config.broker_url is None)
        letters = TakenLetters(
            self.journal, DeadLetters(database), lost, self.relay.run_once, changes=database.changes()
        )
        yield PeriodicJob("taken_letters", letters, Every(2), level=logging.INFO, changes=letters.changes)
        reruns = SendReruns(self.journal, Reruns(database), lost, self.relay.run_once)
        yield PeriodicJob("reruns", reruns, Every(2), level=logging.INFO, changes=database.changes())
        bulk = WorkBulk(database, worker=f"{config.node}/{os.getpid()}", changes=database.changes())
        yield PeriodicJob("bulk", bulk, Every(2), level=logging.INFO, changes=bulk.changes)

    def _sample_queues(self, config: EngineConfig, broker: EmbeddedBroker | RabbitBroker) -> SampleQueues:
        declare = None if config.broker_url is None else broker.declare_queue
        return SampleQueues(QueueMinutes(self.database), broker, partial(_queues, config), declare)

    def _of_control(self) -> Iterator[PeriodicJob]:
        if not self._mirror.has_thread:
            yield PeriodicJob("mirror", self._mirror, Every(UNTOLD), at_once=True, changes=self._mirror)

    def _of_schema(self) -> Iterator[PeriodicJob]:
        if self._upgrade is not None:
            yield PeriodicJob("schema", self._upgrade, Every(5), level=logging.INFO, changes=self._upgrade)

    def _of_broker(self, config: EngineConfig, broker: Any) -> Iterator[PeriodicJob]:
        if config.broker_url is not None:
            from growbin_jobs.engine.broker.rabbitmq.undeliverable import collect

            job = Undeliverable(self.journal, partial(collect, config.broker_url, config.queue_type))
            yield PeriodicJob("undeliverable", job, Every(60), at_once=True, level=logging.INFO)
        elif tidy := getattr(broker, "tidy_dead_letters", None):
            waiting = TellWaiting(self.journal.node, self.database, broker.waiting)
            sent = FileChanges.of_database(config.embedded_broker_path)
            yield PeriodicJob("waiting", waiting, Every(2), at_once=True, changes=sent)
            letters = TidyDeadLetters(self.journal, tidy, keep=config.keep_dead_letters_days * DAY)
            yield PeriodicJob("dead_letters", letters, Every(60), at_once=True, level=logging.INFO)

    def serve(self, lifetime: KeeperLifetime) -> int:
        """Work until the lifetime is over; return the exit code.

        Returns:
          0, or 75 where something is left that exists on this node only.
        """
        runner = Runner(self._jobs, self._zone, node=self.journal.node)
        self._prepare_database()
        runner.start()
        if self._mirror.has_thread:
            self._mirror.start()
        observed = begin(lambda observer: observer.in_keeper(self.config, self), self.config.observers)
        try:
            return self._serve(runner, lifetime)
        finally:
            end(observed)

    def _serve(self, runner: Runner, lifetime: KeeperLifetime) -> int:
        events.KEEPER_SERVING.emit(node=self.journal.node, database=self.database.address)
        while not lifetime.is_over():
            lifetime.wait()
            runner.check_clock()
        runner.pause()
        self._mirror.stop()
        if lifetime.others_work():
            events.KEEPER_HANDS_OVER.emit(node=self.journal.node)
            return 0
        return self._finish(lifetime)

    def _prepare_database(self) -> None:
        """Upgrade before the first copy needs it; a job goes on where the database is away."""
        if self._upgrade is not None:
            try:
                self._upgrade.run_once()
            except Deferred as error:
                logger.warning("keeper.database_away error=%s", error)

    def _finish(self, lifetime: KeeperLifetime) -> int:
        """Copy and send what is left, as far as that is possible in time."""
        end = time.monotonic() + self._final_seconds
        # Each in a thread of its own, since nothing can interrupt one that waits for a server.
        duties = [threading.Thread(target=self._copy_all, args=(end,), daemon=True)]
        duties.append(threading.Thread(target=_quietly, args=(lambda: self.relay.send(0.0),), daemon=True))
        _join(duties, end, lifetime)
        unsynced, unsent = self._left()
        report = threading.Thread(target=_quietly, args=(self.heartbeat.run_once,), daemon=True)
        _join([report], max(end, time.monotonic() + 1.0), lifetime)
        if unsynced or unsent:
            events.KEEPER_LEFT_BEHIND.emit(node=self.journal.node, rows=unsynced, messages=unsent)
            return os.EX_TEMPFAIL
        events.KEEPER_DONE.emit(node=self.journal.node)
        return 0

    def _copy_all(self, end: float) -> None:
        while time.monotonic() < end:
            try:
                if not self.sync.run_once(everything=True).behind:
                    return
            except Deferred as error:
                logger.warning("keeper.last_copy_waits error=%s", error)
                time.sleep(0.5)

    def _left(self) -> tuple[int, int]:
        try:
            return self.sync.backlog().copyable, self.journal.backlog()
        except Deferred as error:
            logger.warning("keeper.journal_away error=%s", error)
            return 1, 0


def _forget_old(config: EngineConfig, database: Database) -> ForgetOld:
    return ForgetOld(
        database,
        tasks=_days(config.keep_tasks_days),
        letters=_days(config.keep_dead_letters_days),
        minutes=_days(config.keep_minutes_days),
    )


def _days(days: float) -> timedelta:
    return timedelta(days=days)


def _queues(config: EngineConfig) -> set[str]:
    """Return the queues of the configured groups, and of what works on this node."""
    configured = {queue for group in config.groups for queue in group.queues}
    return configured.union(*(process.queues for process in present(config.node_dir).values() if process is not None))


def _join(threads: list[threading.Thread], end: float, lifetime: KeeperLifetime) -> None:
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and time.monotonic() < end and not lifetime.hurried:
        for thread in threads:
            thread.join(0.02)


def _quietly(call: Callable[[], object]) -> None:
    WithBackoff("last", _Call(call))()


@dataclass(frozen=True, slots=True)
class _Call:
    run_once: Callable[[], object]
