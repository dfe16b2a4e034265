"""From the schedule to its effect: a real scheduler, and a real worker of the storage group with the platform's actors.

A worker that is killed in the middle of a run, and a message that comes twice, leave one effect.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import peewee
import pytest
from tests import command_line
from tests.stubs.agent_zoo import AgentZoo
from tests.upgraded import upgrade
from tests.whole import WHOLE

from growbin_jobs import names
from growbin_jobs.engine.broker.embedded.broker import EmbeddedBroker
from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.delivery.by_name import message_for
from growbin_jobs.engine.groups import Route
from growbin_jobs.engine.periodic.due import due_between
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.weekly_report import WeeklyReportRow
from growbin_jobs.platform.tables.facts import ApiCall, Facts, Log
from growbin_jobs.platform.tables.health import HealthStateRow
from growbin_jobs.platform.tables.registry import Agent
from growbin_jobs.platform.tables.statistics import Statistic
from growbin_jobs.scheduler.jobs import named
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import JobRunRow, LedgerRow
from growbin_jobs.scheduler.table import ONCE
from growbin_jobs.scheduler.tick import Tick
from growbin_jobs.scheduler.verify import verify
from growbin_jobs.settings import load
from growbin_jobs.wiring import central_database

pytestmark = pytest.mark.timeout(400)

HERE = Path(__file__).parent
PATIENCE = 120.0

WEEKLY = next(job for job in ONCE if job.route is names.WEEKLY_REPORT)

ROUTES = (names.AGGREGATE_DAILY, names.OLD_LOGS, names.CHECK_ALL_AGENTS, names.WEEKLY_REPORT)

#: For what others left in the ledger, whatever runs in it: one that needs no interpreter of its own.
HEIR = "dramatiq-gevent" if WHOLE else "dramatiq"

#: Where the worker is killed: after the run began, after its effect and before "done", after "done" and before it sent.
KILLED = (
    pytest.param(names.OLD_LOGS, "schedule.taken", marks=pytest.mark.before_release),  # the next one was taken, too
    (names.AGGREGATE_DAILY, "schedule.effect"),
    (names.CHECK_ALL_AGENTS, "actor.after"),
)


class Installation:
    """An embedded installation with one scheduler, one worker of the storage group, and facts to work on."""

    def __init__(self, folder: Path, zoo: AgentZoo) -> None:
        self.zoo = zoo
        self.settings = load(node="n1", data_dir=folder)
        self.database: Database = central_database(self.settings)
        upgrade(self.database, SCHEMA)
        self.ledger = Ledger(self.database, "test")
        self.broker = EmbeddedBroker(self.settings.embedded_broker_path, middleware=[])
        self.env = {name: value for name, value in os.environ.items() if not name.startswith("GROWBIN_")} | {
            "GROWBIN_NODE": "n1",
            "GROWBIN_DATA_DIR": str(folder),
            "GROWBIN_HEALTH_NETWORKS": "127.0.0.0/8",
        }
        self.log = folder / "log"
        self.processes: list[subprocess.Popen[bytes]] = []
        self._write_facts()

    def _write_facts(self) -> None:
        """Two calls yesterday, one log line that is old and one that is not, and an agent that is well."""
        zone, now = ZoneInfo(self.settings.timezone), datetime.now(UTC)
        yesterday = now.astimezone(zone).replace(hour=12, minute=0) - timedelta(days=1)
        call = {"status": 200, "latency_ms": 5, "user_id": "u1", "model": None, "purpose": None}
        call |= {"tokens_in": None, "tokens_out": None, "cost": None}
        facts = Facts(self.database)
        facts.record(ApiCall, [{"id": f"c{number}", "at": yesterday, **call} for number in range(2)])
        line = {"level": "info", "source": "web", "message": "said", "user_id": None}
        facts.record(Log, [{"id": "new", "at": now, **line}, {"id": "old", "at": now - timedelta(days=90), **line}])
        agent = {"id": "1", "name": "one", "endpoint": f"{self.zoo.url}/ok", "created_at": now - timedelta(days=9)}
        self.database.run(lambda connection: Agent.insert(agent).execute(connection))

    def start(self, *command: str, **env: str) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = command_line.start_python(command, env=self.env | env, stdout=log, stderr=log, cwd=HERE)
        self.processes.append(process)
        return process

    def start_scheduler(self) -> None:
        self.start(sys.executable, "-m", "growbin_jobs.scheduler")
        self.until(lambda: len(self.ledger.registry.states()) == len(ONCE), "the schedule is registered")

    def start_worker(self, program: str = "dramatiq-gevent", **env: str) -> subprocess.Popen[bytes]:
        dramatiq = str(Path(sys.executable).with_name(program))
        return self.start(dramatiq, "periodic_app", "--processes", "1", "--threads", "20", **env)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(*arguments, env=self.env, text=True, timeout=PATIENCE)

    def ask_for(self, route: Route) -> datetime:
        """Have a job run, and return its due time, as ``schedule run`` does."""
        job = named(route.actor, ONCE)
        assert job is not None
        return self.ledger.run_now(job, due=None, by="a test")

    def row(self, route: Route, due: datetime) -> dict[str, Any]:
        query = LedgerRow.select().where((LedgerRow.job == route.actor) & (LedgerRow.due == due))
        [row] = self.database.rows(query)
        return row

    def await_done(self, route: Route, due: datetime) -> dict[str, Any]:
        self.until(lambda: self.row(route, due)["state"] == "done", f"{route.actor} is done")
        self.await_quiet()
        return self.row(route, due)

    def deliver_again(self, row: dict[str, Any], route: Route) -> None:
        """Send the same due time under another id: a worker that knows the id would leave it out by that."""
        columns = {"due": "due", "since": "data_since", "until": "data_until"}
        times = {name: row[column].isoformat() for name, column in columns.items()}
        self.broker.enqueue(message_for(route, **times))

    def await_quiet(self) -> None:
        """Wait until no message is left that a worker has to run, follow-up messages included."""

        def quiet() -> bool:
            return not any(depth.ready or depth.claimed or depth.delayed for depth in self.broker.depths().values())

        self.until(quiet, "all is worked off")
        assert self.broker.dead_letters() == []

    def effects(self, route: Route) -> Any:
        """Return what a job has left behind."""
        if route is names.AGGREGATE_DAILY:
            return self._rows(Statistic.select())
        if route is names.OLD_LOGS:
            return [row["id"] for row in self._rows(Log.select())]
        if route is names.WEEKLY_REPORT:
            return self._rows(WeeklyReportRow.select())
        return self.zoo.hits["/ok/health"], self._rows(HealthStateRow.select())

    def runs(self, route: Route, due: datetime) -> tuple[int, int]:
        """Return how often a due time was taken, and how many effects it had."""
        [run] = self._rows(JobRunRow.select().where((JobRunRow.job == route.actor) & (JobRunRow.due == due)))
        return run["fence"], run["effects"]

    def _rows(self, query: peewee.ModelSelect) -> list[dict[str, Any]]:
        return self.database.rows(query)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        """Wait for what has no signal."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}\n{self.log.read_text()}"
            time.sleep(0.05)

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(PATIENCE)
        self.broker.close()
        self.database.close()


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    zoo = AgentZoo()
    made = Installation(tmp_path, zoo)
    yield made
    made.close()
    zoo.close()


def assert_effect(installation: Installation, route: Route) -> None:
    effects = installation.effects(route)
    if route is names.AGGREGATE_DAILY:
        assert [(row["kind"], row["total_api_calls"], row["revision"]) for row in effects] == [("daily", 2, 1)]
    elif route is names.OLD_LOGS:
        assert effects == ["new"]
    elif route is names.WEEKLY_REPORT:
        assert [row["analyses"] for row in effects] == [0]
    else:
        checks, states = effects
        assert checks == 1
        assert [(row["target"], row["state"], len(row["recent"])) for row in states] == [("agent:1", "healthy", 1)]


def test_due_times_come_to_their_effects_and_a_second_delivery_changes_nothing(installation: Installation) -> None:
    installation.start_scheduler()
    installation.start_worker()
    dues = {route: installation.ask_for(route) for route in ROUTES}
    rows = {route: installation.await_done(route, due) for route, due in dues.items()}
    for route in ROUTES:
        assert_effect(installation, route)
        assert installation.runs(route, dues[route])[1] == 1
    before = {route: installation.effects(route) for route in ROUTES}

    for route in ROUTES:
        installation.deliver_again(rows[route], route)
    installation.await_quiet()

    assert {route: installation.effects(route) for route in ROUTES} == before
    assert {installation.row(route, due)["state"] for route, due in dues.items()} == {"done"}
    assert [installation.runs(route, due)[1] for route, due in dues.items()] == [1, 1, 1, 1]
    verified = installation.command("schedule", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_a_laptop_that_slept_over_monday_morning_gives_one_late_report(installation: Installation) -> None:
    """It fell asleep at half past midnight; the first scheduler and worker look again now."""
    zone, now = ZoneInfo(installation.settings.timezone), datetime.now(UTC)
    due = max(due_between(WEEKLY.when, zone, now - timedelta(days=7), now - timedelta(minutes=1)))
    asleep = Ledger(installation.database, "before", clock=lambda _connection: due - timedelta(hours=8, minutes=30))
    asleep.registry.register(ONCE, zone)

    installation.start_scheduler()
    installation.start_worker(HEIR)
    rows = LedgerRow.select(LedgerRow.state).where(LedgerRow.job == WEEKLY.name)
    installation.until(lambda: installation.database.rows(rows) == [{"state": "done"}], "the report is done")

    shown = installation.command("schedule", "history", WEEKLY.name, "--json").stdout
    [report] = [json.loads(line) for line in shown.splitlines()]
    assert (report["outcome"], datetime.fromisoformat(report["due"])) == ("late", due)
    assert installation.runs(names.WEEKLY_REPORT, due) == (1, 1)
    [row] = installation.effects(names.WEEKLY_REPORT)
    assert row["week"] == f"{due.astimezone(zone) - timedelta(days=7):%G-W%V}"


@pytest.mark.parametrize(("route", "point"), KILLED, ids=lambda value: getattr(value, "actor", value))
def test_a_run_whose_worker_is_killed_is_repeated_and_has_one_effect(
    installation: Installation, route: Route, point: str
) -> None:
    zone = ZoneInfo(installation.settings.timezone)
    scheduler = Tick(ONCE, installation.ledger, installation.broker.enqueue, zone)
    scheduler.run_once()
    due = installation.ask_for(route)
    assert scheduler.run_once() == {route.actor: 1}
    # With threads it could die while it says that it has booted, for which dramatiq's master then waits for ever.
    dying = installation.start_worker(GROWBIN_CRASHPOINT=point)
    assert dying.wait(PATIENCE) != 0
    assert installation.row(route, due)["state"] == ("done" if point == "actor.after" else "started")

    installation.start_worker(HEIR)
    installation.await_done(route, due)

    assert_effect(installation, route)
    assert installation.runs(route, due) == (2, 1)
    verdict = verify(installation.database, due - timedelta(hours=1), datetime.now(UTC))
    assert verdict.findings == []
