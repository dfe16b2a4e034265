"""Callers that are killed at any moment: each costs at most the one grant that it held, and nothing stays taken."""

import sys
from contextlib import closing
from pathlib import Path

import pytest
from tests import command_line
from tests.contract.killed_callers import WISH, opened
from tests.upgraded import upgrade
from tests.whole import WHOLE

from growbin_jobs.limits.gcra import Limit
from growbin_jobs.limits.sql import SqlLimits
from growbin_jobs.models import SCHEMA

ROOT = Path(__file__).parents[2]

KILLS = 100 if WHOLE else 40

KINDS = ["sqlite", pytest.param("postgresql", marks=pytest.mark.services)]


@pytest.fixture(params=KINDS)
def address(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str | None, Path]:
    return (
        request.getfixturevalue("upgraded_postgres_url") if request.param == "postgresql" else None
    ), tmp_path / "db"


def test_callers_that_are_killed_lose_a_grant_each_at_most(address: tuple[str | None, Path]) -> None:
    url, path = address
    with closing(opened(url, path)) as database:
        upgrade(database, SCHEMA)
        store = SqlLimits(database)
        store.ensure([Limit("vision", 0.001, 1), Limit("project", 0.0005, 1)])
        command = [sys.executable, "-m", "tests.contract.killed_callers", url or "", str(path), str(KILLS)]
        done = command_line.run_python(command, cwd=ROOT, text=True)
        assert done.returncode == 0, done.stderr
        counted = int(done.stdout)

        granted = {limit.name: limit.version for limit in store.limits()}

        assert granted["vision"] == granted["project"], "all or nothing, wherever it was killed"
        assert counted <= granted["vision"] <= counted + KILLS
        assert store.take(WISH.costs, patience=0.1).decision.granted, "nothing stays taken"
