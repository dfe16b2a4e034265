"""Real schedulers and workers of one job that is due many times a minute, and what kills, stops and misleads them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests import command_line
from tests.waiting import until

from growbin_jobs.engine.central.database import Database
from growbin_jobs.platform.tables.facts import Log
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow

APPS = Path(__file__).parent / "integration"
PATIENCE = 60.0

#: Where a scheduler dies, beside any moment.
POINTS = ("schedule.claimed", "schedule.sent", "schedule.noted")

#: Seconds by which clocks are wrong.
SKEWS = (-3600, 0, 20, 3600)


class RealSchedule:
    """Processes of one installation.

    Parameters:
      folder: Of the node.
      database: The central one, upgraded.
      env: Settings of the processes.
    """

    def __init__(self, folder: Path, database: Database, env: dict[str, str]) -> None:
        self.database, self.log = database, folder / "log"
        self.env = os.environ | env | {"GROWBIN_NODE": "n1", "GROWBIN_DATA_DIR": str(folder)}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = command_line.start_python(
                command, env=self.env | env, stdout=log, stderr=log, cwd=APPS, start_new_session=True
            )
        self.processes.append(process)
        return process

    def scheduler(self, **env: str) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, str(APPS / "scheduler_app.py"), **env)

    def worker(self) -> subprocess.Popen[bytes]:
        dramatiq = str(Path(sys.executable).with_name("dramatiq"))
        return self.start(dramatiq, "seconds_app", "--processes", "1", "--threads", "4")

    def rows(self) -> list[dict[str, Any]]:
        return self.database.rows(LedgerRow.select().order_by(LedgerRow.due))

    def effects(self) -> Counter[datetime]:
        """Return how many lines there are of each due time."""
        return Counter(row["at"] for row in self.database.rows(Log.select(Log.at)))

    def done(self, number: int) -> None:
        """Wait until so many due times more are done."""
        goal = self._done() + number
        until(lambda: self._done() >= goal, f"{goal} due times are done")

    def _done(self) -> int:
        return self.database.run(LedgerRow.select().where(LedgerRow.state == "done").count)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@dataclass
class Chaos:
    """Two schedulers and a worker, to which something happens at each step.

    Attributes:
      counts: What has happened, by its name.
    """

    world: RealSchedule
    random: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    _schedulers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    _stopped: dict[int, float] = field(default_factory=dict)

    def step(self) -> None:
        """Replace who is dead, wake who has slept long enough, and do something to one of them."""
        for pid in [pid for pid, wakes in self._stopped.items() if wakes <= time.monotonic()]:
            self._wake(pid)
        self._replace()
        what = self.random.choice((self._kill, self._kill, self._stop, self._stop, self._arm))
        what(self.random.choice((*self._schedulers, *self._schedulers, *self._workers)))

    def end(self) -> None:
        """Let everybody be well again."""
        for pid in list(self._stopped):
            self._wake(pid)
        self._replace()

    def _replace(self) -> None:
        self._schedulers = [each for each in self._schedulers if each.poll() is None]
        self._workers = [each for each in self._workers if each.poll() is None]
        while len(self._schedulers) < 2:
            skew = self.random.choice(SKEWS)
            self.counts["wrong clocks"] += skew != 0
            self._schedulers.append(self.world.scheduler(TEST_SKEW=str(skew)))
        if not self._workers:
            self._workers.append(self.world.worker())

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        self.counts["schedulers killed" if process in self._schedulers else "workers killed"] += 1
        self._stopped.pop(process.pid, None)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _stop(self, process: subprocess.Popen[bytes]) -> None:
        if process.pid not in self._stopped:
            self.counts["stopped"] += 1
            os.killpg(process.pid, signal.SIGSTOP)
            self._stopped[process.pid] = time.monotonic() + self.random.uniform(0.5, 6)

    def _arm(self, process: subprocess.Popen[bytes]) -> None:
        """In place of a scheduler start one that will kill itself in the middle of its work."""
        if process in self._schedulers:
            self._kill(process)
            self._schedulers.remove(process)
            self.counts["armed to die at a step"] += 1
            point = f"{self.random.choice(POINTS)}:{self.random.randint(1, 60)}"
            self._schedulers.append(self.world.scheduler(GROWBIN_CRASHPOINT=point))

    def _wake(self, pid: int) -> None:
        del self._stopped[pid]
        os.killpg(pid, signal.SIGCONT)


@dataclass(frozen=True)
class Count:
    """What became of the due times up to one of them.

    Attributes:
      holes: Due times that the ledger lacks.
      not_once: Those whose effects are not exactly one.
      not_done: Those that the ledger does not call done.
      taken: How often workers took one.
      latest: Seconds from a due time to its end, at most.
    """

    due_times: int
    effects: int
    holes: int
    not_once: int
    not_done: int
    taken: int
    latest: float

    @property
    def right(self) -> bool:
        """True where each due time has had one effect."""
        return self.due_times == self.effects and not self.holes and not self.not_once and not self.not_done


def count(world: RealSchedule, every: timedelta, last: datetime) -> Count:
    """Count by the interval alone which due times there were up to one, and what became of each."""
    rows = {row["due"]: row for row in world.rows() if row["due"] <= last}
    effects, first = world.effects(), min(rows)
    expected = [first + every * number for number in range(round((last - first) / every) + 1)]
    runs = [row for row in world.database.rows(JobRunRow.select()) if row["due"] <= last]
    ended = [(row["ended_at"] - row["due"]).total_seconds() for row in rows.values() if row["ended_at"]]
    return Count(
        due_times=len(expected),
        effects=sum(number for due, number in effects.items() if due <= last),
        holes=len(set(expected) ^ set(rows)),
        not_once=sum(effects[due] != 1 for due in expected) + sum(row["effects"] != 1 for row in runs),
        not_done=sum(row["state"] != "done" for row in rows.values()),
        taken=sum(row["fence"] for row in runs),
        latest=max(ended),
    )
