"""Real schedulers and workers on RabbitMQ and PostgreSQL that die, stop, or have wrong clocks: one effect each."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.real_schedule import PATIENCE, RealSchedule
from tests.waiting import until

from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.central.upgrade import upgrade
from growbin_jobs.models import SCHEMA
from growbin_jobs.scheduler.rows import JobRunRow


@pytest.fixture
def cluster(tmp_path: Path, rabbitmq_url: str, postgres_url: str) -> Iterator[RealSchedule]:
    with closing(open_database(postgres_url, default_path=tmp_path / "x", pool_size=4, timeout=10)) as database:
        upgrade(database, SCHEMA)
        made = RealSchedule(tmp_path, database, {"GROWBIN_BROKER_URL": rabbitmq_url, "DATABASE_URL": postgres_url})
        try:
            yield made
        finally:
            made.close()


def test_each_second_has_one_effect_whoever_dies_stops_or_has_a_wrong_clock(cluster: RealSchedule) -> None:
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
    assert cluster.effects() == Counter(dues)
    assert {row["effects"] for row in cluster.database.rows(JobRunRow.select())} == {1}
