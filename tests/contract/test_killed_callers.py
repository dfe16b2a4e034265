"""Callers that are killed at any moment: each costs at most the one grant that it held, and nothing stays taken."""

import os
import random
import select
import signal
import time
from pathlib import Path

import pytest
from tests.upgraded import upgrade

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.limits.asking import Wish
from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.limits.tickets import Gate
from growbin_jobs.models import SCHEMA

KILLS = 100

WISH = Wish({"vision": 1, "project": 1})

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str | None, Path]:
    return (
        request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    ), tmp_path / "db"


def opened(address: tuple[str | None, Path]) -> Database:
    return open_database(address[0], default_path=address[1], pool_size=1, timeout=10)


def call_until_killed(address: tuple[str | None, Path], sent: int) -> None:
    """Ask for tickets and send, a byte a request, without an end."""
    gate = Gate(SqlLimits(opened(address)))
    while True:
        ticket = gate.ticket(WISH)
        if gate.begin(ticket):
            os.write(sent, b".")


def test_a_hundred_callers_that_are_killed_lose_a_grant_each_at_most(address: tuple[str | None, Path]) -> None:
    database = opened(address)
    upgrade(database, SCHEMA)
    store = SqlLimits(database)
    store.ensure([Limit("vision", 0.001, 1), Limit("project", 0.0005, 1)])
    database.close()  # nothing that is open is shared with a child
    requests, sent = os.pipe()
    poll = select.poll()  # select() takes no number above 1023
    poll.register(requests, select.POLLIN)
    chance, counted = random.Random(17), 0
    for _ in range(KILLS):
        child = os.fork()
        if child == 0:
            try:
                call_until_killed(address, sent)
            finally:
                os._exit(3)
        try:
            assert poll.poll(60_000), "it never called"
        except BaseException:
            os.kill(child, signal.SIGKILL)
            raise
        counted += len(os.read(requests, 65536))
        time.sleep(chance.uniform(0, 0.004))  # killed wherever it is then
        os.kill(child, signal.SIGKILL)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    os.set_blocking(requests, False)
    while True:
        try:
            counted += len(os.read(requests, 65536))
        except BlockingIOError:
            break
    os.close(requests)
    os.close(sent)

    granted = {limit.name: limit.version for limit in store.limits()}

    assert granted["vision"] == granted["project"], "all or nothing, wherever it was killed"
    assert counted <= granted["vision"] <= counted + KILLS
    assert store.take(WISH.costs, patience=0.1).decision.granted, "nothing stays taken"
    database.close()
