"""The life of batches as a machine: whatever is done in any order, and wherever processes die, nothing is paid twice.

The real code, a database and the stand-in for OpenAI; killed processes and passing time are played.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.integration.batch_world import KEY, World, picture, stub_module
from tests.upgraded import upgrade
from tests.whole import examples

from growbin_jobs.engine.central.database import Database
from growbin_jobs.engine.central.opening import open_database
from growbin_jobs.engine.crashpoints import POINTS
from growbin_jobs.models import SCHEMA
from growbin_jobs.models.batch_life import State
from growbin_jobs.models.batch_row import Batch

PICTURES = st.integers(0, 9)
AWAY = st.sampled_from([None, None, None, 500])
POINTS_OF_RESULTS = {"batch.booked", "batch.settled", "batch.read"}
MAKE_DIES, LOOK_DIES = (
    st.sampled_from([None, None, *sorted(points)])
    for points in (
        {point for point in POINTS if point.startswith("batch.")} - POINTS_OF_RESULTS,
        POINTS_OF_RESULTS,
    )
)


class BatchMachine(RuleBasedStateMachine):
    """Messages come, jobs run and die, the server ends batches as it likes, people cancel."""

    template: Path

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "central.db")
        self.database: Database = open_database(None, default_path=self.folder / "central.db", pool_size=4, timeout=30)
        self.stub: Any = stub_module().StubOpenAI(key=KEY).start()
        self.world = World(self.database, self.stub, self.folder)
        self.waiting: Counter[str] = Counter()

    @rule(numbers=st.sets(PICTURES, min_size=1, max_size=4), user=st.sampled_from(["u1", "u2"]))
    def ask(self, numbers: set[int], user: str) -> None:
        for number in numbers:
            if self.world.ask(number, user=user) is None:
                self.waiting[f"a{number}-{user}"] += 1

    @rule(number=PICTURES)
    def ask_at_once(self, number: int) -> None:
        assert self.world.ask(number, user="u3", tier=None) is not None

    @precondition(lambda self: self.world.waiting.by_model() or self.going_on())
    @rule(dies=MAKE_DIES, away=AWAY)
    def make(self, dies: str | None, away: int | None) -> None:
        self.stub.batches.refuses = away
        self.world.pass_time()
        self.world.make(killed=dies)
        self.stub.batches.refuses = None

    @precondition(lambda self: self.going_on())
    @rule(dies=LOOK_DIES, times=st.integers(1, 2), away=AWAY)
    def look(self, dies: str | None, times: int, away: int | None) -> None:
        self.stub.batches.refuses = away
        self.world.pass_time()
        self.world.look(killed=dies, times=times)
        self.stub.batches.refuses = None

    @precondition(lambda self: self.going_on())
    @rule(end=st.sampled_from(["completed", "expired", "cancelled"]), only=st.integers(0, 3))
    def end(self, end: str, only: int) -> None:
        self.stub.batches.run(end=end, only=None if end == "completed" else only)

    @precondition(lambda self: self.going_on())
    @rule()
    def cancel(self) -> None:
        for batch in self.going_on():
            self.world.made_batches.cancel(batch.id, by="op")

    def going_on(self) -> list[Batch]:
        return [batch for batch in self.world.made_batches.all() if batch.state is not State.DONE]

    @rule()
    def come_back(self) -> None:
        for message in self.world.sent_again():
            analysis = message["args"][0]
            assert self.waiting[analysis] > 0, "sent again more than once"
            self.waiting[analysis] -= 1
            if self.world.run(message, analysis.partition("-")[2]) is None:
                self.waiting[analysis] += 1

    @invariant()
    def money_adds_up(self) -> None:
        if self.stub.batches.made or self.stub.requests:
            self.world.money()

    @invariant()
    def no_batch_is_made_twice(self) -> None:
        ids = [batch["metadata"]["growbin_batch"] for batch in self.stub.batches.made.values()]
        assert len(ids) == len(set(ids))

    @invariant()
    def no_answer_is_paid_twice(self) -> None:
        assert set(self.stub.batches.paid.values()) <= {1}
        for number in range(10):  # a batch that had it already, and one who could not wait
            digest = hashlib.sha256(picture(number)).hexdigest()
            assert self.stub.images[digest] <= 1

    def teardown(self) -> None:
        try:
            self._drain()
            self.no_batch_is_made_twice()
            self.no_answer_is_paid_twice()
            assert +self.waiting == Counter()
            rows = self.world.usage()
            assert len(rows) == sum(self.stub.batches.paid.values())
            assert self.stub.violations == []
            if rows or self.stub.requests:
                reserved, settled, released, unknown = self.world.money()
                assert (reserved, unknown) == (settled + released, 0)
        finally:
            self.world.ledger.close()
            self.database.close()
            self.stub.stop()
            shutil.rmtree(self.folder)

    def _drain(self) -> None:
        for _ in range(12):
            self.world.pass_time()
            self.world.make()
            self.stub.batches.run()
            self.world.pass_time()
            self.world.look()
            self.come_back()
            if not +self.waiting and not self.going_on():
                return


def test_the_life_of_batches(tmp_path: Path) -> None:
    database = open_database(None, default_path=tmp_path / "central.db", pool_size=2, timeout=30)
    upgrade(database, SCHEMA)
    database.close()
    BatchMachine.template = tmp_path / "central.db"
    machine: Any = BatchMachine.TestCase
    machine.settings = settings(
        max_examples=examples(8), stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
    )
    machine().runTest()
