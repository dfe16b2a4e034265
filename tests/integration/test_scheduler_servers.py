"""Real schedulers and workers on RabbitMQ and PostgreSQL that die, stop, or have wrong clocks: one effect each."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.waiting import until

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.platform.tables.facts import Log
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow

HERE = Path(__file__).parent
PATIENCE = 60.0


class Cluster:
    """Processes on two servers."""

    def __init__(self, folder: Path, database: Database, env: dict[str, str]) -> None:
        self.database, self.log = database, folder / "log"
        path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        self.env = os.environ | env | {"GROWBIN_NODE": "n1", "GROWBIN_DATA_DIR": str(folder), "PYTHONPATH": path}
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, env=self.env | env, stdout=log, stderr=log, cwd=HERE, start_new_session=True
            )
        self.processes.append(process)
        return process

    def scheduler(self, **env: str) -> subprocess.Popen[bytes]:
        return self.start(sys.executable, str(HERE / "scheduler_app.py"), **env)

    def worker(self) -> subprocess.Popen[bytes]:
        dramatiq = str(Path(sys.executable).with_name("dramatiq"))
        return self.start(dramatiq, "seconds_app", "--processes", "1", "--threads", "4")

    def rows(self) -> list[dict[str, Any]]:
        return self.database.rows(LedgerRow.select().order_by(LedgerRow.due))

    def done(self, number: int) -> None:
        """Wait until so many due times more are done."""
        goal = self._done() + number
        until(lambda: self._done() >= goal, f"{goal} due times are done")

    def _done(self) -> int:
        return sum(row["state"] == "done" for row in self.rows())

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def cluster(tmp_path: Path, rabbitmq_url: str, postgres_url: str) -> Iterator[Cluster]:
    with closing(open_database(postgres_url, default_path=tmp_path / "x", pool_size=4, timeout=10)) as database:
        upgrade(database, SCHEMA)
        made = Cluster(tmp_path, database, {"GROWBIN_BROKER_URL": rabbitmq_url, "DATABASE_URL": postgres_url})
        try:
            yield made
        finally:
            made.close()


def test_each_second_has_one_effect_whoever_dies_stops_or_has_a_wrong_clock(cluster: Cluster) -> None:
    first, worker = cluster.scheduler(), cluster.worker()
    cluster.scheduler(TEST_SKEW="3600")
    cluster.done(2)
    first.send_signal(signal.SIGSTOP)
    cluster.done(2)
    os.killpg(worker.pid, signal.SIGKILL)
    first.send_signal(signal.SIGCONT)
    dying = cluster.scheduler(GROWBIN_CRASHPOINT="schedule.sent:2", TEST_SKEW="-3600")
    assert dying.wait(PATIENCE) == -signal.SIGKILL
    cluster.worker()
    cluster.done(3)
    for process in cluster.processes:
        if process.poll() is None and "scheduler_app" in str(process.args):
            process.terminate()
            assert process.wait(PATIENCE) == 0
    until(lambda: {row["state"] for row in cluster.rows()} == {"done"}, "all that is due is done")

    dues = [row["due"] for row in cluster.rows()]
    assert dues == [dues[0] + timedelta(seconds=number) for number in range(len(dues))]
    notes: Counter[datetime] = Counter(row["at"] for row in cluster.database.rows(Log.select()))
    assert notes == Counter(dues)
    assert {row["effects"] for row in cluster.database.rows(JobRunRow.select())} == {1}
