"""Real schedulers that are killed and stopped: every due time is sent, and has one effect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests import command_line
from tests.waiting import freeze, until

from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.sqlite.lock_holder import holder_of
from growbin_jobs.scheduler.effects import DueTimes
from growbin_jobs.scheduler.presence import overdue_seconds, present
from growbin_jobs.scheduler.rows import LedgerRow, StateRow
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

HERE = Path(__file__).parent
PATIENCE = 60.0
SECOND = timedelta(seconds=1)


class Cluster:
    """An embedded database and broker, schedulers on it, and a worker that counts effects."""

    def __init__(self, folder: Path) -> None:
        self.settings = load(node="n1", data_dir=folder)
        self.database: Database = central_database(self.settings)
        self.broker = EmbeddedBroker(self.settings.embedded_broker_path, middleware=[])
        self.broker.declare_queue("seconds")
        self.env = os.environ | {"GROWBIN_NODE": "n1", "GROWBIN_DATA_DIR": str(folder)}
        self.log = folder / "log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.effects: Counter[datetime] = Counter()
        self.deliveries = 0

    def start(self, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            command = [sys.executable, str(HERE / "scheduler_app.py")]
            process = command_line.start_python(command, env=self.env | env, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def rows(self) -> list[dict[str, Any]]:
        return self.database.rows(LedgerRow.select().order_by(LedgerRow.due))

    def sent(self, number: int, *, after: datetime | None = None) -> list[dict[str, Any]]:
        """Wait until so many due times, later than one, were sent."""

        def enough() -> list[dict[str, Any]]:
            found = [row for row in self.rows() if row["sent_at"] and (after is None or row["due"] > after)]
            return found if len(found) >= number else []

        return list(until(enough, f"{number} due times are sent"))

    def work(self) -> None:
        """Run all messages that wait, as a worker does."""
        due_times = DueTimes(self.database)
        consumer = self.broker.consume("seconds", prefetch=1000, timeout=100)
        for message in consumer:
            if message is None:
                break
            self.deliveries += 1
            with due_times.taking("seconds", message.kwargs["due"]) as run:
                if run is not None:
                    run.commit(lambda _, due=run.due: self.effects.update([due]))
            consumer.ack(message)
        consumer.close()

    def assert_each_once(self) -> None:
        """After all schedulers have ended: no due time has a hole, none had two effects."""
        self.work()
        rows = self.rows()
        dues = [row["due"] for row in rows]
        assert dues == [dues[0] + SECOND * number for number in range(len(dues))]
        assert {row["state"] for row in rows} == {"done"}
        assert self.effects == Counter(dues)
        [state] = self.database.rows(StateRow.select())
        assert state["planned_until"] - dues[-1] < SECOND

    def end(self) -> None:
        """Let all schedulers that live stop by themselves."""
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE) == 0

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.broker.close()
        self.database.close()


def freeze_between_writes(pid: int, cluster: Cluster) -> None:
    """Stop a process where it holds no lock of a file: SQLite lets nobody else write then, whoever schedules."""
    files = cluster.settings.embedded_database_path, cluster.settings.embedded_broker_path
    freeze(pid)
    while any((holder := holder_of(path)) is not None and holder.pid == pid for path in files):
        os.kill(pid, signal.SIGCONT)
        freeze(pid)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    made = Cluster(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("point", ["schedule.claimed", "schedule.sent", "schedule.noted"])
def test_a_scheduler_that_is_killed_at_its_tick_is_followed_by_another_one(cluster: Cluster, point: str) -> None:
    """Three due times in, at each point; what was claimed is sent after the lease, under the same id."""
    dying = cluster.start(GROWBIN_CRASHPOINT=f"{point}:3")
    assert dying.wait(PATIENCE) == -signal.SIGKILL
    died_at = cluster.rows()[-1]["due"]

    cluster.start()
    cluster.sent(2, after=died_at)
    until(lambda: not [row for row in cluster.rows() if row["due"] <= died_at and not row["sent_at"]], "all are sent")
    cluster.end()
    assert {row["fence"] for row in cluster.rows() if row["due"] <= died_at} <= {1, 2}
    cluster.assert_each_once()


def test_two_schedulers_of_which_one_is_stopped_and_goes_on(cluster: Cluster) -> None:
    stopped, _ = cluster.start(), cluster.start()
    [*_, last] = cluster.sent(2)
    until(lambda: len(present(cluster.database)) == 2, "both have said that they live")
    freeze_between_writes(stopped.pid, cluster)
    [*_, last] = cluster.sent(3, after=last["due"])
    cluster.work()
    stopped.send_signal(signal.SIGCONT)
    cluster.sent(2, after=last["due"])
    cluster.end()

    cluster.assert_each_once()
    assert present(cluster.database) == []


def test_a_stall_over_due_times_loses_none(cluster: Cluster) -> None:
    """B-T10: five seconds; what was due meanwhile is sent late, and nothing else happens."""
    only = cluster.start()
    [*_, last] = cluster.sent(1)
    only.send_signal(signal.SIGSTOP)
    until(lambda: overdue_seconds(cluster.database) > 5, "somebody sees that nobody fires")
    only.send_signal(signal.SIGCONT)
    late = cluster.sent(6, after=last["due"])
    cluster.end()

    assert late[0]["sent_at"] - late[0]["due"] > 3 * SECOND
    cluster.assert_each_once()
