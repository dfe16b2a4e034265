"""Photos that have a day's time: asked in batches by real workers and a real scheduler, once, whoever is killed."""

import json
import signal
from collections import Counter

import pytest
from tests import command_line
from tests.waiting import until
from tests.whole import WHOLE

from growbin_jobs import names
from growbin_jobs.limits.usage import LlmUsage
from growbin_jobs.models.made_batches import MadeBatches
from growbin_jobs.scheduler.jobs import named
from growbin_jobs.scheduler.ledger import Ledger
from growbin_jobs.scheduler.rows import LedgerRow
from growbin_jobs.scheduler.table import ONCE

pytestmark = pytest.mark.timeout(400)

JOBS = (names.MAKE_BATCHES, names.LOOK_AFTER_BATCHES)


class Batching:
    """A stack that asks in batches: its jobs run when the test says so, and leases and pauses are over then."""

    def __init__(self, stack, openai):
        self.stack, self.openai = stack, openai
        stack.env |= {"GROWBIN_BATCH_GATHER": "0", "GROWBIN_BATCH_POLL": "1"}
        self.ledger, self.batches = Ledger(stack.database, "test"), MadeBatches(stack.database)
        self.scheduler = None

    def start(self):
        self.stack.start(threads=4, scheduler=True, greenlets=False)
        self.await_jobs()

    def start_apart(self, **through):
        """Start each by itself; ``through`` changes the environment of those that ask."""
        with (self.stack.folder / "scheduler.log").open("ab") as log:
            self.scheduler = command_line.start("scheduler", env=self.stack.full_env, stdout=log, stderr=log)
        self.stack.start("storage", greenlets=False)
        self.stack.start("ai", threads=4, through=through)
        self.await_jobs()

    def await_jobs(self):
        until(lambda: set(self.ledger.registry.states()) >= {route.actor for route in JOBS}, "the jobs are known")

    def go_on(self):
        """Let pauses end, the server answer, and both jobs run, unless they still have to."""
        self.sql("UPDATE model_batch SET next_at = 0")
        self.openai.batches.run()
        for route in JOBS:
            rows = self.ledger_states(route)
            if not {"due", "claimed", "sent"} & set(rows):
                self.ledger.run_now(named(route.actor, ONCE), due=None, by="a test")

    def ledger_states(self, route):
        query = LedgerRow.select(LedgerRow.state).where(LedgerRow.job == route.actor)
        return [row["state"] for row in self.stack.database.rows(query)]

    def sql(self, statement):
        return self.stack.database.run(lambda one: one.execute_sql(statement))

    def waiting(self):
        return [row[0] for row in self.sql("SELECT key FROM model_batch_waiter WHERE back_at IS NULL").fetchall()]

    def completed(self, ids):
        return all(self.stack.analyses.get(one).status.is_final for one in ids)

    def runs(self):
        """Messages, deferrals and retries of stages 2 and 4."""
        rows = self.sql(
            "SELECT task_name, count(*), sum(deferrals), sum(retry_count) FROM tasks WHERE task_name IN"
            " ('analyze_image', 'generate_response') GROUP BY task_name ORDER BY task_name"
        ).fetchall()
        return [tuple(map(int, row[1:])) for row in rows]

    def stop(self):
        if self.scheduler:
            self.scheduler.send_signal(signal.SIGTERM)
            assert self.scheduler.wait(60) == 0
        assert self.stack.stop() == {"storage": 0, "ai": 0}


@pytest.fixture
def batching(request, openai):
    """Parametrise it indirectly with the name of a stack."""
    found = Batching(request.getfixturevalue(request.param), openai)
    yield found
    if found.scheduler and found.scheduler.poll() is None:
        found.scheduler.kill()
        found.scheduler.wait()


def submit(stack, photos):
    done = stack.run("analyze", "--no-wait", "--json", "--tier", "batch", *photos, check=True)
    return [json.loads(line)["id"] for line in done.stdout.splitlines()]


SERVICES = pytest.mark.services

#: Each moment, and each kind of stack; which of them comes with which decides nothing.
KILLS = [
    pytest.param("clustered", "batch.created", marks=SERVICES),
    pytest.param("embedded_online", "batch.booked"),
    *[
        pytest.param("embedded_online", "batch.created"),
        pytest.param("clustered", "batch.booked", marks=SERVICES),
    ] * WHOLE,
]  # fmt: skip


@pytest.mark.parametrize(("batching", "killed"), KILLS, indirect=["batching"])
def test_a_backfill_is_asked_in_batches_and_paid_once_though_its_worker_is_killed(batching, openai, photos, killed):
    ids = submit(batching.stack, photos[:4])
    batching.start_apart(GROWBIN_CRASHPOINT=killed)
    until(lambda: len(batching.waiting()) == 4, "all are put down", seconds=120)
    shown = json.loads(batching.stack.run("status", "--json", ids[0], check=True).stdout)
    assert (shown["tier"], shown["status"], shown["batches"][0]["batch"]) == ("batch", "uploaded", None)

    until(lambda: "SIGKILL" in batching.stack.log("ai") or batching.go_on(), "the worker is killed", every=2.0)
    batching.stack.kill("ai")
    batching.sql("UPDATE model_batch SET leased_until = 0")  # two minutes pass; nobody works on one now
    batching.stack.start("ai", threads=4)
    until(lambda: batching.completed(ids) or batching.go_on(), "all are completed", seconds=300, every=2.0)
    # Each message was delivered once: one that puts its question down, and one that comes back with the answer.
    until(lambda: batching.runs() == [(8, 0, 0), (8, 0, 0)], "the runs of both stages are copied")
    batching.stop()

    assert {one.status.value for one in batching.stack.wait(ids, timeout=1).values()} == {"completed"}
    books = openai.stats()
    ours = [batch["metadata"]["growbin_batch"] for batch in openai.batches.made.values()]
    assert len(ours) == len(set(ours))
    assert (books["requests"], set(books["batches"]["paid"].values())) == (0, {1})
    rows = batching.stack.database.rows(LlmUsage.select())
    assert Counter(row["purpose"] for row in rows)["vision"] == 4
    assert {(row["tier_asked"], row["tier_served"]) for row in rows} == {("batch", "batch")}
    assert len(rows) == sum(books["batches"]["paid"].values())
    shown = batching.stack.run("status", ids[0], check=True).stdout
    assert "answered" in shown
    assert "completed" in batching.stack.run("batches", "list", check=True).stdout


@pytest.mark.parametrize(
    "batching", ["embedded_online", *[pytest.param("clustered", marks=SERVICES)] * WHOLE], indirect=True
)
def test_a_person_cancels_a_batch_and_what_it_asked_is_asked_in_the_standard_tier(batching, openai, photos):
    ids = submit(batching.stack, photos[:2])
    batching.start()
    until(lambda: len(batching.waiting()) == 2, "all are put down", seconds=120)
    batching.ledger.run_now(named(names.MAKE_BATCHES.actor, ONCE), due=None, by="a test")
    [batch] = until(lambda: [one for one in batching.batches.all() if one.server_id], "the server has it")
    batching.stack.run("batches", "cancel", batch.server_id, check=True)
    batching.ledger.run_now(named(names.LOOK_AFTER_BATCHES.actor, ONCE), due=None, by="a test")
    until(lambda: openai.batches.made[batch.server_id]["status"] == "cancelling", "the server is told")
    openai.batches.run(end="cancelled", only=0)

    until(lambda: batching.completed(ids) or batching.go_on(), "all are completed", seconds=240, every=2.0)
    batching.stop()

    books = openai.stats()
    assert (books["vision"], books["text"], books["batches"]["paid"]) == (2, 2, {})
    assert {one.tier_reason for one in batching.stack.wait(ids, timeout=1).values()} == {"cancelled"}
    assert "standard, not batch: cancelled" in batching.stack.run("status", ids[0], check=True).stdout
    assert batching.stack.run("batches", "cancel", batch.server_id).returncode == 1
